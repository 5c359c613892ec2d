// Starts Redoc with what the page says: no script stands in the page itself.
"use strict";
const place = document.getElementById("redoc");
Redoc.init(place.dataset.document, JSON.parse(place.dataset.options), place);
