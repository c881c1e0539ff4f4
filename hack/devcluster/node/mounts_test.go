package node

import (
	"slices"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var testMounts = newMounts([]*cri.Mount{
	{ContainerPath: "/etc/linli", HostPath: "/s/config"},
	{ContainerPath: "/etc/linli-keys", HostPath: "/s/keys"},
	{ContainerPath: "/etc/linli/more/", HostPath: "/s/more"},
	{ContainerPath: "/tmp", HostPath: "/s/tmp/var"},
	{ContainerPath: "/var", HostPath: "/s/v"},
})

func TestRewrite(t *testing.T) {
	for text, want := range map[string]string{
		"/etc/linli":                        "/s/config",
		"--config=/etc/linli":               "--config=/s/config",
		"--config=/etc/linli/a.yaml":        "--config=/s/config/a.yaml",
		"--keys=/etc/linli-keys":            "--keys=/s/keys",
		"/etc/linli/more/x":                 "/s/more/x",
		"/etc/linli/moreover":               "/s/config/moreover",
		"/etc/linli:/etc/linli-keys":        "/s/config:/s/keys",
		`{"dir": "/tmp", "data": "/tmp/x"}`: `{"dir": "/s/tmp/var", "data": "/s/tmp/var/x"}`,
		"/tmp/var":                          "/s/tmp/var/var", // what was put in is not rewritten again
		"/etc/linli2":                       "/etc/linli2",
		"/mnt/etc/linli":                    "/mnt/etc/linli",
		"https://example.org/tmp/x":         "https://example.org/tmp/x",
		"../tmp":                            "../tmp",
		"邻里/tmp":                            "邻里/tmp",
		"":                                  "",
	} {
		if got := testMounts.rewrite(text); got != want {
			t.Errorf("rewrite(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCommand(t *testing.T) {
	p := &process{program: "/images/linli/1/linli", mounts: testMounts}
	for _, test := range []struct {
		line      []string
		program   string // empty: refused
		arguments []string
	}{
		{[]string{"/linli", "serve", "--data=/var/x"}, "/images/linli/1/linli", []string{"serve", "--data=/s/v/x"}},
		{[]string{"linli", "check"}, "/images/linli/1/linli", []string{"check"}},
		{[]string{"/tmp/own", "/tmp"}, "/s/tmp/var/own", []string{"/s/tmp/var"}},
		{[]string{"/bin/sh", "-c", "true"}, "", nil}, // the image has no shell, although the machine does
		{[]string{"sleep", "1"}, "", nil},
	} {
		program, arguments, err := p.command(test.line)
		if program != test.program || !slices.Equal(arguments, test.arguments) || (err == nil) != (test.program != "") {
			t.Errorf("command(%q) = %q, %q, %v; want %q, %q", test.line, program, arguments, err, test.program, test.arguments)
		}
	}
}
