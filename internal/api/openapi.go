package api

import (
	_ "embed"
	"net/http"
)

// Description is the OpenAPI description of the API.
//
//go:embed openapi.yaml
var Description []byte

func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	_, _ = w.Write(Description) // a caller that has gone is told by nobody
	return nil
}
