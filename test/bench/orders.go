package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/canteen"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/test/instance"
)

const (
	// orderers are the clients, each of whom orders for themself.
	orderers       = 64
	ordersPerRound = 256
	orderRounds    = 15
	// dishesPerOrder are portions of so many dishes of a menu of orderDishes, at
	// orderPrice fen each.
	dishesPerOrder = 3
	orderDishes    = 8
	orderPrice     = 300
)

// mealOrder is the n-th order of the measurement: nobody has two for a meal.
type mealOrder struct {
	eater  int
	day    time.Time
	meal   string
	dishes []string
}

func mealOrderNumber(n int, firstDay time.Time, dishes []string) mealOrder {
	sitting := n / orderers
	o := mealOrder{eater: n % orderers, day: firstDay.AddDate(0, 0, sitting/len(mealNames)), meal: mealNames[sitting%len(mealNames)]}
	for i := range dishesPerOrder {
		o.dishes = append(o.dishes, dishes[(n+i)%len(dishes)])
	}
	slices.Sort(o.dishes) // as the product takes them, so that two do not wait for each other
	return o
}

// measureOrders compares orders through the JSON API, which are paid from
// purses, with transactions that write the same rows with bound parameters and
// nothing else: the order, the hold in the purse, and the order again, which are
// three in the two databases of the two services.
func measureOrders(ctx context.Context, b *bench) ([]row, error) {
	in, err := b.instance("orders", communityWithKitchen("bench"))
	if err != nil {
		return nil, err
	}
	var bare bareOrders
	for name, of := range map[string]struct {
		db         **sql.DB
		migrations func() (fs.FS, error)
	}{"canteen": {&bare.canteen, canteen.Migrations}, "accounts": {&bare.accounts, accounts.Migrations}} {
		path := filepath.Join(b.dir, "bare-"+name+".db")
		u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: url.Values{
			"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
		}.Encode()}
		migrations, err := of.migrations()
		if err != nil {
			return nil, err
		}
		if *of.db, err = bareDatabase(ctx, database.Options{Path: path, Migrations: migrations}, "sqlite", u.String()); err != nil {
			return nil, err
		}
		defer (*of.db).Close()
		(*of.db).SetMaxOpenConns(1)
	}
	return compareOrders(ctx, b, "SQLite", in, &bare)
}

// measureOrdersPostgres is measureOrders on PostgreSQL. The bare transactions
// run side by side, as many as there are clients, at the isolation that
// PostgreSQL has if nothing is said.
func measureOrdersPostgres(ctx context.Context, b *bench) (rows []row, err error) {
	dsn, bareDSN, end, err := databasetest.Durable()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	dir := filepath.Join(b.dir, "orders-postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	replicas, err := instance.NewReplicas(b.binary, dir, communityWithKitchen("bench"), benchRelease(), dsn)
	if err != nil {
		return nil, err
	}
	kitchen, err := canteen.Migrations()
	if err != nil {
		return nil, err
	}
	purses, err := accounts.Migrations()
	if err != nil {
		return nil, err
	}
	// In one schema, so with versions apart.
	o := database.Options{DSN: bareDSN, Migrations: kitchen, Libraries: map[string]fs.FS{"accounts": purses}}
	db, err := bareDatabase(ctx, o, "pgx", bareDSN)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxIdleConns(orderers)
	return compareOrders(ctx, b, "PostgreSQL", replicas[0], &bareOrders{canteen: db, accounts: db, numbered: true})
}

func compareOrders(ctx context.Context, b *bench, engine string, in *instance.Instance, bare *bareOrders) ([]row, error) {
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	s, err := managed(ctx, in)
	if err != nil {
		return nil, err
	}
	who, err := s.eaters(ctx, orderers)
	if err != nil {
		return nil, err
	}
	dishes, err := s.dishesOf(ctx, orderDishes, orderPrice)
	if err != nil {
		return nil, err
	}
	firstDay := time.Now().In(zone).AddDate(0, 0, 2)
	sittings := (orderRounds + 1) * ordersPerRound / orderers
	for n := range sittings {
		o := mealOrderNumber(n*orderers, firstDay, dishes)
		if err := s.plan(ctx, o.day, o.meal, dishes); err != nil {
			return nil, err
		}
		if err := bare.plan(ctx, o, dishes, n == 0); err != nil {
			return nil, err
		}
	}
	connections := make([]*connection, orderers)
	for i := range connections {
		if connections[i], err = dial(ctx, in); err != nil {
			return nil, err
		}
		defer connections[i].Close()
	}
	next := 0
	round := func(f func(worker, i int) error) (float64, error) {
		began := time.Now()
		err := concurrently(orderers, ordersPerRound, f)
		return ordersPerRound / time.Since(began).Seconds(), err
	}
	var rates, bareRates []float64
	for r := range orderRounds + 1 {
		requests := make([][]byte, ordersPerRound)
		for i := range requests {
			o := mealOrderNumber(next+i, firstDay, dishes)
			if requests[i], err = orderRequest(ctx, in, who[o.eater].token, o, fmt.Sprintf("bench-%d", next+i)); err != nil {
				return nil, err
			}
		}
		r1, err := round(func(worker, i int) error {
			_, err := connections[worker].send(requests[i])
			return err
		})
		if err != nil {
			return nil, err
		}
		r2, err := round(func(_, i int) error {
			return bare.order(ctx, mealOrderNumber(next+i, firstDay, dishes), fmt.Sprintf("bench-%d", next+i))
		})
		if err != nil {
			return nil, err
		}
		next += ordersPerRound
		b.say("orders on "+engine+", round %d: %.0f/s, bare transactions %.0f/s", r, r1, r2)
		if r > 0 { // the first round warms up
			rates, bareRates = append(rates, r1), append(bareRates, r2)
		}
	}
	if err := in.Stop(); err != nil {
		return nil, err
	}
	ratio := ratios(rates, bareRates)
	return []row{{
		measure:   fmt.Sprintf("meals ordered per second on %s, paid from purses, JSON API, %d clients", engine, orderers),
		linli:     fmt.Sprintf("%.0f/s", median(rates)),
		reference: fmt.Sprintf("bare transactions of the same rows, three for an order: %.0f/s", median(bareRates)),
		ratio:     fmt.Sprintf("%s (%s)", times(median(ratio)), spread(ratio)),
		target:    "≥ 0.5 ×",
		met:       judge(median(ratio) >= 0.5),
	}}, nil
}

// orderRequest is a request as it goes over the wire.
func orderRequest(ctx context.Context, in *instance.Instance, token string, o mealOrder, key string) ([]byte, error) {
	var lines []any
	for _, id := range o.dishes {
		lines = append(lines, map[string]any{"dish": id, "portions": 1})
	}
	body, err := json.Marshal(map[string]any{
		"canteen": canteenName, "date": o.day.Format(time.DateOnly), "meal": o.meal, "way": "EatIn", "payment": "Purse", "lines": lines,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.URL()+"/canteen/api/v1/orders", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	var wire bytes.Buffer
	err = req.Write(&wire)
	return wire.Bytes(), err
}

// bareOrders writes the rows of orders and holds by hand, on databases with the
// settings that Linli's have.
type bareOrders struct {
	canteen, accounts *sql.DB
	numbered          bool // parameters are $1, $2, …
	purses            []uuid.UUID
}

type bareStatement struct {
	text string
	args []any
}

// write runs statements in a transaction.
func (w *bareOrders) write(ctx context.Context, db *sql.DB, statements ...bareStatement) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if w.numbered {
			s.text = numbered(s.text)
		}
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// plan writes a menu; before the first, the canteen, the dishes and the purses.
func (w *bareOrders) plan(ctx context.Context, o mealOrder, dishes []string, first bool) error {
	day := o.day.Format(time.DateOnly)
	var kitchen, purses []bareStatement
	if first {
		kitchen = append(kitchen, bareStatement{"INSERT INTO canteens (name, position, spec) VALUES (?, 0, '{}')", []any{canteenName}})
		for _, id := range dishes {
			kitchen = append(kitchen, bareStatement{
				"INSERT INTO dishes (id, name, english_name, description, kind, price, allergens, tags, nutrition, version) VALUES (?, '', '', '', 'Meat', ?, '[]', '[]', '{}', 1)",
				[]any{id, orderPrice}})
		}
		for n := range orderers {
			id := uuid.New()
			w.purses = append(w.purses, id)
			purses = append(purses,
				bareStatement{"INSERT INTO purses (id, person, opened_at, told_low) VALUES (?, ?, 0, 0)", []any{id.String(), fmt.Sprintf("person-%d", n)}},
				bareStatement{"INSERT INTO accounts (name, balance, held) VALUES (?, ?, 0)", []any{"purse/" + id.String(), toppedUp}})
		}
	}
	kitchen = append(kitchen, bareStatement{"INSERT INTO menus (canteen, day, meal, published_at, version) VALUES (?, ?, ?, 1, 1)", []any{canteenName, day, o.meal}})
	for i, id := range dishes {
		kitchen = append(kitchen, bareStatement{
			"INSERT INTO items (canteen, day, meal, dish, position, price, stock, max_per_order, taken) VALUES (?, ?, ?, ?, ?, ?, 100000, 0, 0)",
			[]any{canteenName, day, o.meal, id, i, orderPrice}})
	}
	if err := w.write(ctx, w.canteen, kitchen...); err != nil || len(purses) == 0 {
		return err
	}
	return w.write(ctx, w.accounts, purses...)
}

const insertMealOrder = "INSERT INTO orders (id, canteen, day, meal, eater, ordered_by, payer, name, phone, payment, lines, way, home, wish, tier, total, subsidy, " +
	"revision, next, state, money, tried_at, code, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, '王桂花', '13800000003', ?, ?, 'EatIn', '{}', '', '', ?, 0, " +
	"1, ?, ?, ?, ?, '1234', ?, ?)"

// order writes what an order writes, in its three transactions.
func (w *bareOrders) order(ctx context.Context, o mealOrder, key string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now, person, day := time.Now().Unix(), fmt.Sprintf("person-%d", o.eater), o.day.Format(time.DateOnly)
	var lines []map[string]any
	for _, dish := range o.dishes {
		lines = append(lines, map[string]any{"dish": dish, "portions": 1, "price": orderPrice})
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return err
	}
	const total = dishesPerOrder * orderPrice
	statements := []bareStatement{
		{"INSERT INTO idempotency (person, key, request, result, created_at) VALUES (?, ?, '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', ?, ?)",
			[]any{person, key, id.String(), now}},
		{insertMealOrder, []any{id.String(), canteenName, day, o.meal, person, person, person, "Purse", string(text), total, string(text), "Placing", "Holding", now, now, now}},
	}
	for _, dish := range o.dishes {
		statements = append(statements, bareStatement{
			"UPDATE items SET taken = taken + 1 WHERE canteen = ? AND day = ? AND meal = ? AND dish = ? AND taken + 1 <= stock", []any{canteenName, day, o.meal, dish}})
	}
	if err := w.write(ctx, w.canteen, statements...); err != nil {
		return err
	}
	purse := w.purses[o.eater].String()
	err = w.write(ctx, w.accounts,
		bareStatement{"UPDATE accounts SET held = held + ? WHERE name = ?", []any{total, "purse/" + purse}},
		bareStatement{"INSERT INTO holds (service, id, person, purse, revision, amount, refused_revision, refused_available, state, expires_at, about, memo, created_at, captured, subsidy) " +
			"VALUES ('canteen', ?, ?, ?, 1, ?, 0, 0, 'Held', ?, ?, '{}', ?, 0, 0)", []any{id.String(), person, purse, total, now + 86400, id.String(), now}})
	if err != nil {
		return err
	}
	return w.write(ctx, w.canteen, bareStatement{"UPDATE orders SET state = 'Placed', money = 'Held', next = NULL, updated_at = ? WHERE id = ?", []any{now, id.String()}})
}
