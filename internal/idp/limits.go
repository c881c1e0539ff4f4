package idp

import (
	"net/netip"
	"strings"
	"time"
)

// limits say how many codes are sent.
type limits struct {
	// numberHour and numberDay are for one phone number, addressHour for one
	// client address.
	numberHour, numberDay, addressHour int
}

var (
	usualLimits = limits{numberHour: 5, numberDay: 20, addressHour: 30}
	// Codes that stand on the page cost nothing and protect nobody.
	demoLimits = limits{numberHour: 1000, numberDay: 10000, addressHour: 10000}
)

// wait is how long it takes until another code may be sent, given when codes
// were sent to the number and at the wish of the address, in any order.
func (l limits) wait(number, address []time.Time, now time.Time) time.Duration {
	return max(
		until(number, now, l.numberHour, time.Hour),
		until(number, now, l.numberDay, 24*time.Hour),
		until(address, now, l.addressHour, time.Hour),
	)
}

// until is how long it takes until fewer than limit of the times lie within
// the window before.
func until(times []time.Time, now time.Time, limit int, window time.Duration) time.Duration {
	var within []time.Time
	for _, t := range times {
		if now.Sub(t) < window {
			within = append(within, t)
		}
	}
	if len(within) < limit {
		return 0
	}
	oldest := within[0]
	for _, t := range within {
		if t.Before(oldest) {
			oldest = t
		}
	}
	return oldest.Add(window).Sub(now)
}

// staffWait is how long somebody waits after that many wrong passwords or
// codes of the app in a row.
func staffWait(wrong int) time.Duration {
	const free, first, longest = 3, 30 * time.Second, time.Hour
	if wrong < free {
		return 0
	}
	return min(first<<min(wrong-free, 10), longest)
}

// clientAddress is whom a request comes from: the connection's other end, or,
// where that is a trusted proxy, the last address of X-Forwarded-For that is
// none. An IPv6 address stands for its /64, which one customer has.
func clientAddress(remote string, forwarded []string, trusted []netip.Prefix) string {
	end, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	addr := end.Addr().Unmap()
	var path []string
	for _, header := range forwarded {
		path = append(path, strings.Split(header, ",")...)
	}
	for i := len(path) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		before, err := netip.ParseAddr(strings.TrimSpace(path[i]))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
