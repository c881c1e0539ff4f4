package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/test/instance"
)

const (
	memoryLimitMB = 40
	// A reading is stable when so many in a row, so far apart, differ by less
	// than a hundredth.
	steadyReadings = 10
	readingEvery   = time.Second
	steadyWithin   = 2 * time.Minute
)

// measureMemory weighs communities at rest, after their start and a look at each
// of their pages: one with bookings, and one with a canteen and purses too.
func measureMemory(ctx context.Context, b *bench) ([]row, error) {
	booking, err := b.weigh(ctx, "memory", "a community", communityWith("bench", 6), "/", "/booking/", "/booking/api/v1/venues")
	if err != nil {
		return nil, err
	}
	kitchen, err := b.weigh(ctx, "memory-kitchen", "a community with a canteen and purses too", communityWithKitchen("bench"),
		"/", "/booking/", "/booking/api/v1/venues", "/canteen/", "/canteen/week", "/canteen/api/v1/canteens")
	return []row{booking, kitchen}, err
}

// weigh weighs a community at rest, whose directory is called name.
func (b *bench) weigh(ctx context.Context, name, what string, c *v1alpha1.Community, pages ...string) (r row, err error) {
	in, err := b.instance(name, c)
	if err != nil {
		return r, err
	}
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	if err := in.Start(ctx); err != nil {
		return r, err
	}
	client := instance.Client(1)
	for _, path := range pages {
		if err := get(ctx, client, in.URL()+path, ""); err != nil {
			return r, err
		}
	}
	client.CloseIdleConnections()
	atRest, err := steadyRSS(ctx, in)
	if err != nil {
		return r, err
	}
	b.say("memory of %s: %.1f MB", what, atRest)
	return row{
		measure:   "memory of " + what + " at rest (RssAnon)",
		linli:     fmt.Sprintf("%.1f MB", atRest),
		reference: fmt.Sprintf("the limit: %d MB", memoryLimitMB),
		ratio:     times(atRest / memoryLimitMB),
		target:    fmt.Sprintf("< %d MB", memoryLimitMB),
		met:       judge(atRest < memoryLimitMB),
	}, in.Stop()
}

// get asks for a page, compressed, as browsers do, and reads it to the end
// without unpacking it; as the person whose token it is, if there is one.
func get(ctx context.Context, client *http.Client, url, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return nil
}

// steadyRSS waits until the instance's anonymous memory does not change any
// more and returns it in MB (10⁶ bytes).
func steadyRSS(ctx context.Context, in *instance.Instance) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, steadyWithin)
	defer cancel()
	tick := time.NewTicker(readingEvery)
	defer tick.Stop()
	var low, high float64
	for n := 0; ; n++ {
		now, err := rssAnon(in.PID())
		if err != nil {
			return 0, err
		}
		low, high = min(low, now), max(high, now)
		if n == 0 || high > low*1.01 {
			n, low, high = 0, now, now
		}
		if n == steadyReadings {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("memory does not settle: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// rssAnon reads a process's resident anonymous memory in MB.
func rssAnon(pid int) (float64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("%s has no RssAnon", path)
}
