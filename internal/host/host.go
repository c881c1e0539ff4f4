package host

// Host runs services.
type Host struct {
	cards      []Card
	background []background
}
