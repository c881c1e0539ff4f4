package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

func inputAttributes(f Input) templ.Attributes {
	a := templ.Attributes{"id": f.ID, "name": f.Name}
	switch f.Type {
	case "textarea", "select":
	case "":
		a["type"] = "text"
	default:
		a["type"] = f.Type
	}
	if f.Min != "" {
		a["min"] = f.Min
	}
	if f.Max != "" {
		a["max"] = f.Max
	}
	if f.Autocomplete != "" {
		a["autocomplete"] = f.Autocomplete
	}
	if f.MaxLength > 0 {
		a["maxlength"] = f.MaxLength
	}
	if f.Required {
		a["required"] = true
	}
	var described []string
	if f.Hint != "" {
		described = append(described, f.ID+"-hint")
	}
	if f.Error != "" {
		described = append(described, f.ID+"-error")
		a["aria-invalid"] = "true"
	}
	if len(described) > 0 {
		a["aria-describedby"] = strings.Join(described, " ")
	}
	return a
}

func errorTitle(v View, status int) string {
	switch status {
	case http.StatusForbidden:
		return v.T("web.error403")
	case http.StatusNotFound:
		return v.T("web.error404")
	case http.StatusServiceUnavailable:
		return v.T("web.error503")
	}
	if status < 500 {
		return v.T("web.error400")
	}
	return v.T("web.error500")
}

func errorText(v View, status int) string {
	switch status {
	case http.StatusForbidden:
		return v.T("web.error403Text")
	case http.StatusNotFound:
		return v.T("web.error404Text")
	case http.StatusServiceUnavailable:
		return v.T("web.error503Text")
	}
	if status < 500 {
		return v.T("web.error400Text")
	}
	return v.T("web.error500Text")
}
