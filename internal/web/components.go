package web

import (
	"net/http"
	"net/url"
	"slices"
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
	if f.Accept != "" {
		a["accept"] = f.Accept
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
	if f.Error != "" {
		a["aria-invalid"] = "true"
	}
	if described := describedBy(f.ID, f.Hint, f.Error); described != "" {
		a["aria-describedby"] = described
	}
	return a
}

func (c Choice) describedBy() string { return describedBy(c.ID, c.Hint, c.Error) }

// describedBy names the elements with the hint and the error of a field.
func describedBy(id, hint, mistake string) string {
	var ids []string
	if hint != "" {
		ids = append(ids, id+"-hint")
	}
	if mistake != "" {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

func choiceAttributes(c Choice, i int) templ.Attributes {
	a := templ.Attributes{"type": "radio", "name": c.Name, "value": c.Options[i].Value}
	if c.Several {
		a["type"] = "checkbox"
	}
	if i == 0 {
		a["id"] = c.ID
	}
	if slices.Contains(c.Values, c.Options[i].Value) {
		a["checked"] = true
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
