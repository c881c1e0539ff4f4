package v1alpha1

import "fmt"

// Names of services. A name is the service's path prefix, the name of its
// database and its name in status.
const (
	// ServicePortal is a community's front page; it is always served.
	ServicePortal = "portal"
	// ServiceBooking is on when spec.services.booking is present.
	ServiceBooking = "booking"
	// ServiceCanteen is on when spec.services.canteen is present.
	ServiceCanteen = "canteen"
	// ServiceAccounts is on when spec.services.accounts is present.
	ServiceAccounts = "accounts"
	// ServiceMessages brings messages to people; it is always served.
	ServiceMessages = "messages"
	// ServiceResidents keeps the records of people; it is always served.
	ServiceResidents = "residents"
)

// ServicesOn names the services that a community runs, the portal first and
// the others in the order of the Services type, those that are always on last.
func ServicesOn(spec *CommunitySpec) []string {
	on := []string{ServicePortal}
	if spec.Services.Booking != nil {
		on = append(on, ServiceBooking)
	}
	if spec.Services.Canteen != nil {
		on = append(on, ServiceCanteen)
	}
	if spec.Services.Accounts != nil {
		on = append(on, ServiceAccounts)
	}
	return append(on, ServiceMessages, ServiceResidents)
}

// Host is the host name of the community of that name in a class.
func (c *CommunityClassSpec) Host(community string) string {
	return community + "." + c.Domain
}

// URL is where residents reach the community of that name: the port is left
// out when it is the scheme's own.
func (c *CommunityClassSpec) URL(community string) string {
	g := c.Gateway
	url := string(g.Scheme) + "://" + c.Host(community)
	if g.Port == 0 || g.Scheme == SchemeHTTP && g.Port == 80 || g.Scheme == SchemeHTTPS && g.Port == 443 {
		return url
	}
	return fmt.Sprintf("%s:%d", url, g.Port)
}
