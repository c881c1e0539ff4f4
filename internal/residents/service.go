package residents

// Name is the service's name: its path prefix and its label in metrics.
const Name = "residents"
