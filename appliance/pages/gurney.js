/* An extra: every page works without it. Written for browsers of 2013 too. */
(function () {
  "use strict";

  /* The viewer: arrow keys, Home and End turn pages; the next picture is fetched while this one is looked at. */
  var keys = { ArrowLeft: "previous", ArrowUp: "previous", PageUp: "previous", ArrowRight: "next", ArrowDown: "next",
    PageDown: "next", " ": "next", Home: "first", End: "last", Left: "previous", Right: "next", Up: "previous", Down: "next" };

  function turn(event) {
    var link = keys[event.key] && document.getElementById(keys[event.key]);
    if (link && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      window.location.replace(link.href);
    }
  }

  if (document.body.className.indexOf("viewer") >= 0) {
    document.addEventListener("keydown", turn);
  }

  /* The list of referrals: looked at again every two seconds while one is on its way. */
  function look() {
    var list = document.getElementById("referrals");
    if (!list || !list.getAttribute("data-moving")) { return; }
    var request = new XMLHttpRequest();
    request.open("GET", window.location.pathname);
    request.responseType = "document";
    request.onload = function () {
      var newer = request.response && request.response.getElementById("referrals");
      if (newer) { list.parentNode.replaceChild(document.importNode(newer, true), list); }
      window.setTimeout(look, 2000);
    };
    request.onerror = function () { window.setTimeout(look, 10000); };
    request.send();
  }

  window.setTimeout(look, 2000);
}());
