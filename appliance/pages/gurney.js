/* An extra: every page works without it. Written for browsers of 2013 too. */
(function () {
  "use strict";

  /* The viewer: arrow keys, Home and End turn pages. Browsers before 2016 know a key by its number only. */
  var keys = { ArrowLeft: "previous", ArrowUp: "previous", PageUp: "previous", ArrowRight: "next", ArrowDown: "next",
    PageDown: "next", " ": "next", Home: "first", End: "last", Left: "previous", Right: "next", Up: "previous", Down: "next",
    32: "next", 33: "previous", 34: "next", 35: "last", 36: "first", 37: "previous", 38: "previous", 39: "next", 40: "next" };

  function turn(event) {
    var place = keys[event.key || event.keyCode], link = place && document.getElementById(place);
    if (link && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      window.location.replace(link.href);
    }
  }

  if (document.body.className.indexOf("viewer") >= 0) {
    document.addEventListener("keydown", turn);
  }

  /* The list of referrals: looked at again every two seconds while one is on its way. That is no click: a session ends
     as if nobody were there, and then the names leave the screen. */
  function look() {
    var list = document.getElementById("referrals");
    if (!list || !list.getAttribute("data-moving")) { return; }
    var request = new XMLHttpRequest();
    request.open("GET", window.location.pathname + "?by=itself");
    request.responseType = "document";
    request.onload = function () {
      var newer = request.response && request.response.getElementById("referrals");
      if (newer) { list.parentNode.replaceChild(document.importNode(newer, true), list); }
      else if (request.status < 500) { window.location.reload(); return; }
      window.setTimeout(look, newer ? 2000 : 10000);
    };
    request.onerror = function () { window.setTimeout(look, 10000); };
    request.send();
  }

  window.setTimeout(look, 2000);
}());
