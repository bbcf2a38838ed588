"""What staff and programs see over HTTP: pages, pictures and the JSON API."""
