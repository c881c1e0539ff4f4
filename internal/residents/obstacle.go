package residents

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// Obstacle is why a person cannot be deleted yet, in the words of the services
// that say so, each by language.
type Obstacle []map[string]string

// In is the obstacle in a language.
func (o Obstacle) In(lang web.Language) string {
	words := make([]string, len(o))
	for i, text := range o {
		words[i] = text[string(lang)]
	}
	return strings.Join(words, " ")
}

func (o Obstacle) Error() string { return o.In(web.English) }

// maxObstacleBytes is far more than a service says.
const maxObstacleBytes = 16 << 10

// unobstructed returns an Obstacle if a service keeps something for a person
// with which they must be done before they are deleted, such as money.
func (s *service) unobstructed(ctx context.Context, id uuid.UUID) error {
	var found Obstacle
	for _, name := range s.personal() {
		text, err := s.obstacleOf(ctx, name, id)
		if err != nil {
			return fmt.Errorf("asking %s whether a person can be deleted: %w", name, err)
		}
		if len(text) > 0 {
			found = append(found, text)
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

func (s *service) obstacleOf(ctx context.Context, name string, id uuid.UUID) (map[string]string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, personalURL(name, id)+"/obstacle", nil)
	if err != nil {
		return nil, err
	}
	answer, err := s.others(name).Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound: // it has none for anybody
		return nil, nil
	default:
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	var says struct{ Text map[string]string }
	if err := json.NewDecoder(http.MaxBytesReader(nil, answer.Body, maxObstacleBytes)).Decode(&says); err != nil {
		return nil, err
	}
	return says.Text, nil
}
