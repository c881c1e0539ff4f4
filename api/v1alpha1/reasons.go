package v1alpha1

// Reasons of a Community's conditions. docs/operator.md says what each means
// and what to do.
const (
	ReasonAllServicesReady = "AllServicesReady"
	ReasonRollingOut       = "RollingOut"
	ReasonServiceFailed    = "ServiceFailed"
	ReasonPodNotStarting   = "PodNotStarting"
	ReasonRouteNotAccepted = "RouteNotAccepted"
	ReasonSuspending       = "Suspending"
	ReasonSuspended        = "Suspended"
	ReasonDeleting         = "Deleting"
	ReasonRetrying         = "Retrying"

	ReasonWaitingForRelease    = "WaitingForRelease"
	ReasonNamespaceTerminating = "NamespaceTerminating"

	ReasonNamespaceForeign = "NamespaceForeign"
	ReasonAdoptionRequired = "AdoptionRequired"
	ReasonClassNotFound    = "ClassNotFound"
	ReasonReleaseNotFound  = "ReleaseNotFound"
	ReasonApplyRefused     = "ApplyRefused"
)

// ReasonReleaseMade is the reason of a CommunityClass that is Ready.
const ReasonReleaseMade = "ReleaseMade"
