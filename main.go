// Command linli runs the digital services of neighbourhood communities, and
// the operator that turns Community manifests into running tenants.
package main

import (
	"os"

	"github.com/linli-io/linli/internal/cli"
)

func main() {
	os.Exit(cli.Main())
}
