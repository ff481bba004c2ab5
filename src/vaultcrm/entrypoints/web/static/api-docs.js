// The JSON API with forms to try it, from its OpenAPI document.
(() => {
  "use strict";
  window.SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
  });
})();
