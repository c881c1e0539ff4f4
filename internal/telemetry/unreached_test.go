package telemetry

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a server says never stands in the error, why it cannot be reached does.
func TestUnreached(t *testing.T) {
	const planted = "13911115678"
	says := func(words string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, words)
				c.Close()
			}
		}()
		return "http://" + l.Addr().String()
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	strange := httptest.NewTLSServer(nil)
	t.Cleanup(strange.Close)
	for _, c := range []struct{ name, address, want string }{
		{"a status that is none", says("HTTP/1.1 " + planted + " no\r\n\r\n"), "does not speak HTTP"},
		{"a header that is none", says("HTTP/1.1 200 OK\r\n" + planted + "\r\n\r\n"), "does not speak HTTP"},
		{"another protocol", says("cannot reach " + planted + "\r\n"), "does not speak HTTP"},
		{"nothing", says(""), "EOF"},
		{"nobody there", closed.URL, "refused"},
		{"a certificate of nobody's", strange.URL, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := http.Get(c.address + "/?to=" + planted)
			if err == nil {
				answer.Body.Close()
				t.Fatalf("answered %s", answer.Status)
			}
			if got := Unreached(err).Error(); !strings.Contains(got, c.want) || strings.Contains(got, planted) {
				t.Errorf("%q, want %q and not %q", got, c.want, planted)
			}
		})
	}
}
