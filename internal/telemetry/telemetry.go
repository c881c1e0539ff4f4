// Package telemetry is how every process of Linli is observed: structured logs
// on standard output and Prometheus metrics.
//
// Neither logs nor metrics ever carry personal data: no names, no identifiers
// of people, no query strings, no bodies.
package telemetry

import (
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewLogger returns a logger that writes one JSON object per line to w.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// NewRegistry returns a registry of metrics that already has those of the Go
// runtime, of the process and of the build.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "linli_build_info",
		Help: "Always 1; the label says which version of linli runs.",
	}, []string{"version"})
	build.WithLabelValues(Version()).Set(1)
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return r
}

// Version is the version of the running program: the module's version, or the
// commit that it was built from, or "devel".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
