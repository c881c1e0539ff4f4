package canteen

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// photoURL is where a photo is, for everybody, and smallPhotoURL where it is as
// lists show it.
func photoURL(id uuid.UUID) string { return photosPath + id.String() }

func smallPhotoURL(id uuid.UUID) string { return photoURL(id) + "/small" }

// photoFile sends a photo that find finds. Its address never means another one.
func (s *service) photoFile(find func(ctx context.Context, id uuid.UUID) (Photo, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := find(r.Context(), idOf(r.PathValue("id")))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", p.MediaType)
		w.Header().Set("Content-Length", strconv.Itoa(len(p.Content)))
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		if _, err := w.Write(p.Content); err != nil {
			s.log.DebugContext(r.Context(), "photo not delivered", "error", err.Error())
		}
	}
}

// dishesView is what the list of dishes shows.
type dishesView struct {
	desk
	// Kinds are the dishes that are on offer, by kind; Retired those that are not.
	Kinds   []dishesOfKind
	Retired []Dish
}

type dishesOfKind struct {
	Kind   Kind
	Dishes []Dish
}

// byKind groups dishes, which are in the order of the kinds.
func byKind(dishes []Dish) (kinds []dishesOfKind) {
	for _, d := range dishes {
		if n := len(kinds); n == 0 || kinds[n-1].Kind != d.Kind {
			kinds = append(kinds, dishesOfKind{Kind: d.Kind})
		}
		kinds[len(kinds)-1].Dishes = append(kinds[len(kinds)-1].Dishes, d)
	}
	return kinds
}

func (s *service) dishesPage(w http.ResponseWriter, r *http.Request) {
	v := dishesView{desk: s.desk(r, staffDishesPath)}
	all, err := s.store.Dishes(r.Context(), true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, d := range all {
		if d.Retired {
			v.Retired = append(v.Retired, d)
		}
	}
	v.Kinds = byKind(slices.DeleteFunc(all, func(d Dish) bool { return d.Retired }))
	s.pages.Render(w, r, http.StatusOK, dishesPage(v))
}

// dishView is what the form of a dish shows.
type dishView struct {
	desk
	// Dish is the dish as it is; its version is 0 for a new one.
	Dish Dish
	// What was chosen and typed, by field. Version is the one that was seen.
	Values          map[string]string
	Allergens, Tags []string
	Version         int
	Mistakes        map[string]string
	// Stale says that somebody else has changed the dish meanwhile.
	Stale bool
}

// nutrient is a field of the form, with the places after its point.
var nutrientFields = []struct {
	name   string
	places int
	of     func(*Nutrition) *int
}{
	{"energy", 0, func(n *Nutrition) *int { return &n.Energy }},
	{"protein", 1, func(n *Nutrition) *int { return &n.Protein }},
	{"fat", 1, func(n *Nutrition) *int { return &n.Fat }},
	{"carbohydrate", 1, func(n *Nutrition) *int { return &n.Carbohydrate }},
	{"sodium", 0, func(n *Nutrition) *int { return &n.Sodium }},
}

// dishViewOf is the form as a dish fills it in.
func dishViewOf(d desk, dish Dish) dishView {
	v := dishView{desk: d, Dish: dish, Version: dish.Version, Mistakes: map[string]string{}, Values: map[string]string{
		"name": dish.Name, "englishName": dish.EnglishName, "description": dish.Description, "kind": string(dish.Kind),
	}}
	if dish.Version > 0 {
		v.Values["price"] = yuan(dish.Price)
	}
	for _, f := range nutrientFields {
		switch n := *f.of(&dish.Nutrition); {
		case !dish.Nutrition.Known():
		case f.places == 0:
			v.Values[f.name] = strconv.Itoa(n)
		default:
			v.Values[f.name] = tenths(n)
		}
	}
	for _, a := range dish.Allergens {
		v.Allergens = append(v.Allergens, string(a))
	}
	for _, t := range dish.Tags {
		v.Tags = append(v.Tags, string(t))
	}
	return v
}

// read reads the form into a dish as it was before, and notes what is wrong.
func (v *dishView) read(form url.Values) Dish {
	d := v.Dish
	for field := range form {
		v.Values[field] = typed(form, field)
	}
	v.Values["description"] = strings.TrimSpace(strings.ReplaceAll(form.Get("description"), "\r\n", "\n"))
	v.Values["name"] = strings.Join(strings.Fields(form.Get("name")), " ") // with the signs as they were written
	d.Name, d.EnglishName, d.Description, d.Kind = v.Values["name"], v.Values["englishName"], v.Values["description"], Kind(v.Values["kind"])
	var ok bool
	if d.Price, ok = parseYuan(v.Values["price"]); !ok {
		v.Mistakes["price"] = v.T("canteen.staff.wrong.price", "Max", yuan(maxDishPrice))
	}
	d.Nutrition = Nutrition{}
	for _, f := range nutrientFields {
		text := v.Values[f.name]
		if text == "" {
			continue
		}
		n, ok := parseDecimal(text, f.places)
		if !ok || n > maxNutrient {
			v.Mistakes[f.name] = v.T(map[int]string{0: "canteen.staff.wrong.whole", 1: "canteen.staff.wrong.tenths"}[f.places])
		}
		*f.of(&d.Nutrition) = int(n)
	}
	v.Allergens, v.Tags, d.Allergens, d.Tags = form["allergens"], form["tags"], nil, nil
	for _, a := range v.Allergens {
		d.Allergens = append(d.Allergens, Allergen(a))
	}
	for _, t := range v.Tags {
		d.Tags = append(d.Tags, Tag(t))
	}
	v.Version, _ = strconv.Atoi(form.Get("version")) // what is no version was changed meanwhile
	d.Version = v.Version
	for _, m := range CheckDish(d) {
		if v.Mistakes[m.Field] == "" {
			v.Mistakes[m.Field] = v.T("canteen.staff.wrong."+m.Field, "Count", map[string]int{
				"name": maxDishName, "englishName": 2 * maxDishName, "description": maxDishDescription,
			}[m.Field], "Max", yuan(maxDishPrice))
		}
	}
	return d
}

// mistakes are what the form says is wrong, in the order of its fields.
func (v dishView) mistakes() []web.FieldError {
	fields := []string{"photo", "", "name", "englishName", "kind", "price", "description", "allergens", "tags"}
	for _, f := range nutrientFields {
		fields = append(fields, f.name)
	}
	return inOrder(v.Mistakes, fields...)
}

func (s *service) newDishPage(w http.ResponseWriter, r *http.Request) {
	s.pages.Render(w, r, http.StatusOK, dishPage(dishViewOf(s.desk(r, staffDishesPath), Dish{Kind: KindMeat})))
}

func (s *service) makeDish(w http.ResponseWriter, r *http.Request) {
	id, err := newID()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.saveDish(w, r, Dish{ID: id})
}

// dishOfPath is the dish that the address names.
func (s *service) dishOfPath(r *http.Request) (Dish, error) {
	return s.store.Dish(r.Context(), idOf(r.PathValue("dish")))
}

func (s *service) dishPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.dishOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dishPage(dishViewOf(s.desk(r, staffDishesPath), d)))
}

func (s *service) changeDishFromPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.dishOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.saveDish(w, r, d)
}

// saveDish keeps a dish, or shows its form again with what is wrong.
func (s *service) saveDish(w http.ResponseWriter, r *http.Request, before Dish) {
	if !s.staffForm(w, r) {
		return
	}
	v := dishViewOf(s.desk(r, staffDishesPath), before)
	d := v.read(r.PostForm)
	if before.Version == 0 {
		d.Version = 0
	}
	if len(v.Mistakes) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, dishPage(v))
		return
	}
	_, err := s.store.PutDish(r.Context(), s.by(r.Context()), d)
	switch {
	case errors.Is(err, ErrStale):
		v.Stale, v.Version, v.Mistakes[""] = true, before.Version, v.T("canteen.staff.staleDish")
		s.pages.Render(w, r, http.StatusConflict, dishPage(v))
	case err != nil:
		s.fail(w, r, err)
	default:
		http.Redirect(w, r, withDone(dishURL(d.ID), "dish"), http.StatusSeeOther)
	}
}

func dishURL(id uuid.UUID) string { return staffDishesPath + id.String() }

func (s *service) retireDishFromPage(w http.ResponseWriter, r *http.Request) {
	s.dishDone(w, r, "retired", s.store.RetireDish(r.Context(), s.by(r.Context()), idOf(r.PathValue("dish")), true))
}

func (s *service) restoreDishFromPage(w http.ResponseWriter, r *http.Request) {
	s.dishDone(w, r, "restored", s.store.RetireDish(r.Context(), s.by(r.Context()), idOf(r.PathValue("dish")), false))
}

func (s *service) removePhotoFromPage(w http.ResponseWriter, r *http.Request) {
	s.dishDone(w, r, "photoRemoved", s.store.PutPhoto(r.Context(), s.by(r.Context()), idOf(r.PathValue("dish")), nil, nil))
}

func (s *service) dishDone(w http.ResponseWriter, r *http.Request, done string, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(dishURL(idOf(r.PathValue("dish"))), done), http.StatusSeeOther)
}

// photoFromPage keeps the photo of the dish that the query names: uploads have
// one path, so that no other may be as large.
func (s *service) photoFromPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.store.Dish(r.Context(), idOf(r.URL.Query().Get("dish")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := dishViewOf(s.desk(r, staffDishesPath), d)
	content, list, problem, err := s.uploaded(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if problem != "" {
		v.Mistakes["photo"] = v.T(problem, "Count", maxPhotoBytes>>20)
		s.pages.Render(w, r, http.StatusUnprocessableEntity, dishPage(v))
		return
	}
	if err := s.store.PutPhoto(r.Context(), s.by(r.Context()), d.ID, content, list); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(dishURL(d.ID), "photo"), http.StatusSeeOther)
}

// uploaded is the picture that a form sends, as it is kept and as lists show it,
// or the id of the message that says what is wrong with it.
func (s *service) uploaded(r *http.Request) (content, list []byte, problem string, err error) {
	file, header, err := r.FormFile("photo")
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, http.ErrMissingFile):
		return nil, nil, "canteen.staff.wrong.noPhoto", nil
	case tooLarge || err == nil && header.Size > maxPhotoBytes:
		return nil, nil, "canteen.staff.wrong.photoSize", nil
	case err != nil:
		return nil, nil, "", errBadForm
	}
	defer file.Close() // it was read only
	original, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, "", errBadForm
	}
	// One at a time: a picture takes much memory while it is being scaled.
	s.pictures.Lock()
	defer s.pictures.Unlock()
	content, err = picture(original)
	switch {
	case errors.Is(err, errNoPicture):
		return nil, nil, "canteen.staff.wrong.photo", nil
	case errors.Is(err, errTooLarge):
		return nil, nil, "canteen.staff.wrong.photoPixels", nil
	}
	if err == nil {
		list, err = small(content)
	}
	return content, list, "", err
}
