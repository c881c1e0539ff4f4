// Package crds holds the resource definitions of the Gateway API that the
// gateway serves: copies of the files of the standard channel in the module
// sigs.k8s.io/gateway-api, which a test keeps current.
package crds

import "embed"

// Files are the definitions, one per file.
//
//go:embed *.yaml
var Files embed.FS
