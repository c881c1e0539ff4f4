package v1alpha1

// Release is an immutable snapshot of a resolved CommunityClass together with
// the version of the renderer. Tenants are rendered from a Release, never from
// the class as it stands, so that neither an edited class nor a new operator
// changes every community at once. Releases are kept as ControllerRevisions in
// PlatformNamespace; a community's services read theirs from release.yaml.
type Release struct {
	// Name is the name of the ControllerRevision.
	Name string `json:"name"`
	// ClassName is the class that it was made of.
	ClassName string `json:"className"`
	// RendererVersion is the version of the renderer that it was made for.
	RendererVersion int `json:"rendererVersion"`
	// Class is the class as it stood, with the image resolved.
	Class CommunityClassSpec `json:"class"`
}
