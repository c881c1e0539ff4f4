package booking

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// venue reads a venue; closures are not in its row.
func (r venueRow) venue() (Venue, error) {
	var spec v1alpha1.Venue
	if err := json.Unmarshal([]byte(r.Spec), &spec); err != nil {
		return Venue{}, fmt.Errorf("venue %q in the database: %w", r.Name, err)
	}
	v, err := ParseVenue(spec)
	if err != nil {
		return Venue{}, err
	}
	var places map[string]int
	if err := json.Unmarshal([]byte(r.Places), &places); err != nil {
		return Venue{}, fmt.Errorf("venue %q in the database: places: %w", r.Name, err)
	}
	for i, a := range v.Attendants {
		v.Attendants[i].Place = places[a.Name]
		v.Places = max(v.Places, places[a.Name])
	}
	v.retired = r.RetiredAt != nil
	return v, nil
}

// venueRowOf is a venue as it is kept. Attendants keep the numbers of their
// places from before; nobody gets the number of one who has gone.
func venueRowOf(spec v1alpha1.Venue, position int, before *venueRow) (venueRow, error) {
	if _, err := ParseVenue(spec); err != nil {
		return venueRow{}, err
	}
	row := venueRow{Name: spec.Name, Position: position}
	places := map[string]int{}
	if before != nil {
		row.DoorCode = before.DoorCode
		if err := json.Unmarshal([]byte(before.Places), &places); err != nil {
			return venueRow{}, fmt.Errorf("venue %q in the database: places: %w", spec.Name, err)
		}
	}
	for _, a := range spec.Attendants {
		if _, ok := places[a.Name]; !ok {
			last := slices.Max(append(slices.Collect(maps.Values(places)), 0))
			places[a.Name] = last + 1
		}
	}
	var err error
	if row.Spec, err = asJSON(spec); err != nil {
		return venueRow{}, fmt.Errorf("venue %q: %w", spec.Name, err)
	}
	if row.Places, err = asJSON(places); err != nil {
		return venueRow{}, fmt.Errorf("venue %q: places: %w", spec.Name, err)
	}
	return row, nil
}

// asJSON is a value as it is kept.
func asJSON(value any) (string, error) {
	data, err := json.Marshal(value)
	return string(data), err
}

// SyncVenues brings the venues in line with the manifest. Managed by the
// community, venues are made once, by name, and never changed after. Managed
// by the manifest, they follow it: a venue that it no longer has is retired,
// which keeps its bookings and takes no new ones.
func (s *Store) SyncVenues(ctx context.Context, by v1alpha1.ManagedBy, venues []v1alpha1.Venue, now time.Time) error {
	for i, v := range venues {
		if _, err := ParseVenue(v); err != nil {
			return fmt.Errorf("services.booking.venues[%d]: %w", i, err)
		}
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return syncVenues(ctx, tx, by, venues, now) })
	if err != nil {
		return fmt.Errorf("bringing the venues in line with the manifest: %w", err)
	}
	return nil
}

func syncVenues(ctx context.Context, tx bun.Tx, by v1alpha1.ManagedBy, venues []v1alpha1.Venue, now time.Time) error {
	var known []venueRow
	if err := tx.NewSelect().Model(&known).Scan(ctx); err != nil {
		return err
	}
	before := make(map[string]*venueRow, len(known))
	for i := range known {
		before[known[i].Name] = &known[i]
	}
	for i, spec := range venues {
		old := before[spec.Name]
		delete(before, spec.Name)
		if old != nil && by != v1alpha1.ManagedByManifest {
			continue
		}
		row, err := venueRowOf(spec, i, old)
		if err != nil {
			return err
		}
		if old != nil && row.Spec == old.Spec && row.Position == old.Position && old.RetiredAt == nil {
			continue
		}
		if err := putVenue(ctx, tx, row); err != nil {
			return err
		}
	}
	if by != v1alpha1.ManagedByManifest {
		return nil
	}
	for name, old := range before {
		if old.RetiredAt != nil {
			continue
		}
		if _, err := tx.NewUpdate().Model((*venueRow)(nil)).Set("retired_at = ?", now.Unix()).Where("name = ?", name).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func putVenue(ctx context.Context, tx bun.Tx, row venueRow) error {
	_, err := tx.NewInsert().Model(&row).On("CONFLICT (name) DO UPDATE").
		Set("position = EXCLUDED.position, spec = EXCLUDED.spec, places = EXCLUDED.places, retired_at = NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keeping venue %q: %w", row.Name, err)
	}
	return nil
}

// SaveVenue makes a venue, or changes the one of that name: by a manager, in
// the pages. Bookings stay as they are, whatever the venue's new rules.
func (s *Store) SaveVenue(ctx context.Context, a Act, spec v1alpha1.Venue) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var known []venueRow
		if err := tx.NewSelect().Model(&known).Scan(ctx); err != nil {
			return fmt.Errorf("reading the venues: %w", err)
		}
		position := 0
		var old *venueRow
		for i := range known {
			position = max(position, known[i].Position+1)
			if known[i].Name == spec.Name {
				old = &known[i]
			}
		}
		if old != nil {
			position = old.Position
		}
		row, err := venueRowOf(spec, position, old)
		if err != nil {
			return err
		}
		if err := putVenue(ctx, tx, row); err != nil {
			return err
		}
		return a.noteVenue(ctx, tx, old, row)
	})
}

// noteVenue audits what the act made of a venue, if that is another than before.
func (a Act) noteVenue(ctx context.Context, tx bun.Tx, old *venueRow, row venueRow) error {
	if old == nil {
		return a.note(ctx, tx, actionVenueAdd, "", row.Name, nil)
	}
	fields, err := unlike(old.Spec, row.Spec)
	if err != nil {
		return fmt.Errorf("venue %q in the database: %w", row.Name, err)
	}
	var detail map[string]string
	if len(fields) > 0 {
		detail = map[string]string{"fields": strings.Join(fields, ",")}
	}
	switch {
	case old.RetiredAt != nil:
		return a.note(ctx, tx, actionVenueRestore, "", row.Name, detail)
	case detail != nil:
		return a.note(ctx, tx, actionVenueChange, "", row.Name, detail)
	}
	return nil
}

// unlike are the names of the fields in which two venues, as they are kept, differ.
func unlike(before, after string) ([]string, error) {
	var was, is map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal([]byte(before), &was), json.Unmarshal([]byte(after), &is)); err != nil {
		return nil, err
	}
	var fields []string
	for field := range is {
		if _, known := was[field]; !known {
			was[field] = nil
		}
	}
	for field, value := range was {
		if !bytes.Equal(value, is[field]) {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields, nil
}

// ErrInUse means that a venue cannot be retired while it has live bookings.
var ErrInUse = errors.New("the venue has bookings ahead")

// RetireVenue takes a venue from the list of what can be booked. It returns
// ErrInUse while there are bookings ahead, which a closure cancels or moves.
func (s *Store) RetireVenue(ctx context.Context, a Act, name string) error {
	now := a.Now
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*bookingRow)(nil)).Where("venue = ? AND end_at > ? AND ended_at IS NULL", name, now.Unix()).Count(ctx)
		if err != nil {
			return fmt.Errorf("looking for bookings of venue %q: %w", name, err)
		}
		if n > 0 {
			return ErrInUse
		}
		result, err := tx.NewUpdate().Model((*venueRow)(nil)).Set("retired_at = ?", now.Unix()).Where("name = ? AND retired_at IS NULL", name).Exec(ctx)
		if err != nil {
			return fmt.Errorf("retiring venue %q: %w", name, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNotFound)
		}
		return a.note(ctx, tx, actionVenueRetire, "", name, nil)
	})
}

// VenueSpec is a venue as the manifest or a manager wrote it, or ErrNotFound.
func (s *Store) VenueSpec(ctx context.Context, name string) (v1alpha1.Venue, error) {
	row, err := venueRowIn(ctx, s.db.Query, name)
	if err != nil {
		return v1alpha1.Venue{}, err
	}
	var spec v1alpha1.Venue
	if err := json.Unmarshal([]byte(row.Spec), &spec); err != nil {
		return v1alpha1.Venue{}, fmt.Errorf("venue %q in the database: %w", name, err)
	}
	return spec, nil
}

// Venues are the venues that can be booked, in the manifest's order, with the
// closures that have not ended.
func (s *Store) Venues(ctx context.Context, now time.Time) ([]Venue, error) {
	var rows []venueRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("retired_at IS NULL").Order("position", "name").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the venues: %w", err)
	}
	closures, err := closuresIn(ctx, s.db.Query, "", now)
	if err != nil {
		return nil, err
	}
	venues := make([]Venue, 0, len(rows))
	for _, row := range rows {
		v, err := row.venue()
		if err != nil {
			return nil, err
		}
		v.Closures = closures[v.Name]
		venues = append(venues, v)
	}
	return venues, nil
}

// VenueNames are what people call the venues, retired ones too, by name.
func (s *Store) VenueNames(ctx context.Context) (map[string]string, error) {
	var rows []venueRow
	if err := s.db.Query(ctx, &rows, "SELECT name, spec FROM venues"); err != nil {
		return nil, fmt.Errorf("reading the venues: %w", err)
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		var spec struct{ DisplayName string }
		if err := json.Unmarshal([]byte(row.Spec), &spec); err != nil {
			return nil, fmt.Errorf("venue %q in the database: %w", row.Name, err)
		}
		names[row.Name] = spec.DisplayName
	}
	return names, nil
}

// Attendants are who serves at the venues, retired ones too, by name of the
// venue; venues without attendants are not in it.
func (s *Store) Attendants(ctx context.Context) (map[string][]Attendant, error) {
	var rows []venueRow
	if err := s.db.Query(ctx, &rows, selectVenues+"WHERE places <> '{}'"); err != nil {
		return nil, fmt.Errorf("reading the attendants: %w", err)
	}
	attendants := make(map[string][]Attendant, len(rows))
	for _, row := range rows {
		v, err := row.venue()
		if err != nil {
			return nil, err
		}
		attendants[v.Name] = v.Attendants
	}
	return attendants, nil
}

// Venue is a venue that can be booked, with the closures that have not ended,
// or ErrNotFound.
func (s *Store) Venue(ctx context.Context, name string, now time.Time) (Venue, error) {
	return venueIn(ctx, s.db.Query, name, now)
}

func venueIn(ctx context.Context, read query, name string, now time.Time) (Venue, error) {
	row, err := venueRowIn(ctx, read, name)
	if err != nil {
		return Venue{}, err
	}
	if row.RetiredAt != nil {
		return Venue{}, ErrNotFound
	}
	return row.withClosures(ctx, read, now)
}

// knownVenueIn is a venue even if it was retired, with its closures, or
// ErrNotFound.
func knownVenueIn(ctx context.Context, read query, name string, now time.Time) (Venue, error) {
	row, err := venueRowIn(ctx, read, name)
	if err != nil {
		return Venue{}, err
	}
	return row.withClosures(ctx, read, now)
}

// query reads rows into dest, a pointer to a slice: beside the writers, or in
// one's transaction.
type query func(ctx context.Context, dest any, text string, args ...any) error

// in is the query in a transaction.
func in(tx bun.Tx) query {
	return func(ctx context.Context, dest any, text string, args ...any) error {
		return tx.NewRaw(text, args...).Scan(ctx, dest)
	}
}

const selectVenues = "SELECT name, position, spec, places, door_code, retired_at FROM venues "

func venueRowIn(ctx context.Context, read query, name string) (venueRow, error) {
	var rows []venueRow
	if err := read(ctx, &rows, selectVenues+"WHERE name = ?", name); err != nil {
		return venueRow{}, fmt.Errorf("reading venue %q: %w", name, err)
	}
	if len(rows) == 0 {
		return venueRow{}, ErrNotFound
	}
	return rows[0], nil
}

func (r venueRow) withClosures(ctx context.Context, read query, now time.Time) (Venue, error) {
	v, err := r.venue()
	if err != nil {
		return Venue{}, err
	}
	closures, err := closuresIn(ctx, read, r.Name, now)
	v.Closures = closures[r.Name]
	return v, err
}

// closuresIn are the closures that have not ended, in order of time, by venue;
// of one venue, or of all if the name is empty.
func closuresIn(ctx context.Context, read query, venue string, now time.Time) (map[string][]Closure, error) {
	text, args := "", []any{now.Unix()}
	if venue != "" {
		text, args = "AND venue = ? ", append(args, venue)
	}
	var rows []closureRow
	err := read(ctx, &rows, "SELECT id, venue, place, start_at, end_at, reason, made_by, created_at, ended_at FROM closures "+
		"WHERE end_at > ? AND ended_at IS NULL "+text+"ORDER BY start_at, id", args...)
	if err != nil {
		return nil, fmt.Errorf("reading the closures: %w", err)
	}
	closures := map[string][]Closure{}
	for _, row := range rows {
		closures[row.Venue] = append(closures[row.Venue], row.closure())
	}
	return closures, nil
}

// doorCodeDigits is how long the code on a venue's door is.
const doorCodeDigits = 6

// DoorCode is the code on a venue's door by which people check in; it is made
// when it is first asked for.
func (s *Store) DoorCode(ctx context.Context, venue string) (string, error) {
	row, err := venueRowIn(ctx, s.db.Query, venue)
	if err != nil || row.DoorCode != "" {
		return row.DoorCode, err
	}
	// Somebody else may have made it meanwhile.
	return s.newDoorCode(ctx, venue, "door_code = ''", func(context.Context, bun.Tx) error { return nil })
}

// RenewDoorCode makes a new code for a venue's door; the one before is worth
// nothing any more.
func (s *Store) RenewDoorCode(ctx context.Context, a Act, venue string) (string, error) {
	return s.newDoorCode(ctx, venue, "TRUE", func(ctx context.Context, tx bun.Tx) error {
		return a.note(ctx, tx, actionDoorCodeRenew, "", venue, nil)
	})
}

// newDoorCode makes a code if a condition holds, does what is to be done with
// that, and returns the code there is then.
func (s *Store) newDoorCode(ctx context.Context, venue, condition string, then func(ctx context.Context, tx bun.Tx) error) (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("making a door code: %w", err)
	}
	var row venueRow
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*venueRow)(nil)).Set("door_code = ?", fmt.Sprintf("%0*d", doorCodeDigits, n)).
			Where("name = ?", venue).Where(condition).Exec(ctx)
		if err != nil {
			return fmt.Errorf("keeping the door code of venue %q: %w", venue, err)
		}
		if row, err = venueRowIn(ctx, in(tx), venue); err != nil {
			return err
		}
		return then(ctx, tx)
	})
	return row.DoorCode, err
}
