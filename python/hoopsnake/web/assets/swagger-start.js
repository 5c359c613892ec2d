// Starts Swagger UI with what the page says: no script stands in the page itself.
"use strict";
const place = document.getElementById("swagger-ui");
const options = JSON.parse(place.dataset.options);
options.dom_id = "#swagger-ui";
options.url = place.dataset.document;
options.presets = [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset];
// Who looks over the document elsewhere is not asked.
options.validatorUrl = null;
if (place.dataset.redirect) {
  options.oauth2RedirectUrl = new URL(place.dataset.redirect, location.href).href;
}
const started = SwaggerUIBundle(options);
if (place.dataset.oauth) {
  started.initOAuth(JSON.parse(place.dataset.oauth));
}
