package instance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/identity/identitytest"
	"github.com/linli-io/linli/internal/sample"
)

// Person is one of the sample people with a bearer token.
type Person struct {
	Account string
	Token   string
}

// issuer is where the people of all instances sign in. It runs in this process.
var issuer = sync.OnceValue(func() *identitytest.Issuer { return identitytest.Run(time.Now) })

// people are those of a community.
type people struct {
	community *v1alpha1.Community
	site      string // the audience of tokens
	key       []byte
}

func newPeople(community *v1alpha1.Community, release *v1alpha1.Release, key []byte) *people {
	return &people{community, release.Class.URL(community.Name), key}
}

// managerPhone is the number of the manager of every community.
const managerPhone = "13800000099"

// token is a bearer token of who has a number.
func (p *people) token(_ context.Context, phone string, staff bool) (string, error) {
	return issuer().TokenFor("account-"+phone, phone, p.site, staff)
}

// Token is a bearer token of who has a number, for the community; in the way
// that staff must sign in, if they are staff. It is good for an hour.
func (in *Instance) Token(ctx context.Context, phone string, staff bool) (string, error) {
	return in.people.token(ctx, phone, staff)
}

// People makes the community know the sample people, if it does not yet, and
// signs them in, the way scripts do. Tokens are good for an hour and outlive
// restarts. The community's manifest must name a manager.
func (in *Instance) People(ctx context.Context) ([]Person, error) {
	manager := in.people.community.Spec.Managers[0].Name
	invitation, err := identity.Keys{Current: in.people.key}.Invitation(in.people.community.Name, manager)
	if err != nil {
		return nil, err
	}
	client := Client(1)
	defer client.CloseIdleConnections()
	err = sample.Community{
		URL: in.URL(), Client: client, Token: in.people.token,
		Manager: manager, Invitation: invitation, ManagerPhone: managerPhone,
	}.Fill(ctx)
	if err != nil {
		return nil, fmt.Errorf("sample people: %w", err)
	}
	var signedIn []Person
	for _, p := range sample.People {
		if p.Account == "" {
			continue
		}
		token, err := in.people.token(ctx, p.Phone, p.Staff())
		if err != nil {
			return nil, fmt.Errorf("token for %s: %w", p.Account, err)
		}
		signedIn = append(signedIn, Person{Account: p.Account, Token: token})
	}
	return signedIn, nil
}
