package identity

import (
	"context"
	"net"
	"net/http"
)

// LoopbackTransport reaches *.localhost on this machine (RFC 6761, section
// 6.3), as browsers and curl do but Go's resolver does not.
func LoopbackTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && isLocalhost(host) {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, address)
	}
	return transport
}
