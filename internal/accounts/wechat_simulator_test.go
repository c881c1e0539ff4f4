package accounts

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
)

// The merchant account at the simulator.
var merchant = v1alpha1.WeChatPay{
	AppID: "wx0123456789abcdef", MerchantID: "1900000001", CertificateSerial: "5157F09EFDC096DE15EBE81A47057A72", PublicKeyID: "PUB_KEY_ID_0119000000012026",
}

const apiV3Key = "0123456789abcdefghijklmnopqrstuv"

// simulator speaks WeChat Pay's API v3: it checks the merchant's signatures,
// signs what it answers, and encrypts and signs what it tells.
type simulator struct {
	t        testing.TB
	server   *httptest.Server
	merchant *rsa.PrivateKey
	platform *rsa.PrivateKey

	mu     sync.Mutex
	orders map[string]*simulated
	// down answers everything with an error; asked counts requests by what they
	// ask for.
	down  bool
	asked map[string]int
}

// simulated is an order at the simulator.
type simulated struct {
	reference, channel, state, number, currency, merchant, notifyURL string
	amount                                                           int64
}

func newSimulator(t testing.TB) *simulator {
	t.Helper()
	key := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	s := &simulator{t: t, merchant: key(), platform: key(), orders: map[string]*simulated{}, asked: map[string]int{}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.server.Close)
	return s
}

// RoundTrip brings requests to https://api.mch.weixin.qq.com here.
func (s *simulator) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != "api.mch.weixin.qq.com" {
		return nil, fmt.Errorf("a request to %s", r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(s.server.URL, "http://")
	return http.DefaultTransport.RoundTrip(r)
}

// keys writes the merchant's keys as the merchant platform gives them out.
func (s *simulator) keys(put func(name string, content []byte)) {
	private, err := x509.MarshalPKCS8PrivateKey(s.merchant)
	if err != nil {
		s.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&s.platform.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	put(weChatPrivateKeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	put(weChatPublicKeyFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	put(weChatAPIKeyFile, []byte(apiV3Key+"\n"))
}

// sign signs lines as both sides of API v3 do.
func sign(t testing.TB, key *rsa.PrivateKey, lines ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// seal signs a body in headers.
func (s *simulator) seal(h http.Header, at time.Time, body string) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("Wechatpay-Serial", merchant.PublicKeyID)
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", "nonce")
	h.Set("Wechatpay-Signature", sign(s.t, s.platform, stamp, "nonce", body))
	h.Set("Request-Id", "1")
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="([^"]*)",nonce_str="([^"]*)",timestamp="([^"]*)",serial_no="([^"]*)",signature="([^"]*)"$`)

// authentic reports whether the merchant has signed a request.
func (s *simulator) authentic(r *http.Request, body string) bool {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || m[1] != merchant.MerchantID || m[4] != merchant.CertificateSerial {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(m[5])
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Method, r.URL.RequestURI(), m[3], m[2], body}, "\n") + "\n"))
	return rsa.VerifyPKCS1v15(&s.merchant.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

func (s *simulator) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, answer := s.answer(r, string(body))
	text := ""
	if answer != nil {
		raw, err := json.Marshal(answer)
		if err != nil {
			s.t.Error(err)
		}
		text = string(raw)
	}
	s.seal(w.Header(), time.Now(), text)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func problem(code string) map[string]string { return map[string]string{"code": code, "message": code} }

const simulatedPath = "/v3/pay/transactions/"

func (s *simulator) answer(r *http.Request, body string) (int, any) {
	if s.down {
		return 500, problem("SYSTEM_ERROR")
	}
	if !s.authentic(r, body) {
		s.t.Errorf("%s %s is not signed by the merchant", r.Method, r.URL)
		return 401, problem("SIGN_ERROR")
	}
	path := strings.TrimPrefix(r.URL.Path, simulatedPath)
	reference, closing := strings.CutSuffix(strings.TrimPrefix(path, "out-trade-no/"), "/close")
	order := s.orders[reference]
	switch {
	case path == "native" || path == "h5":
		s.asked["begin"]++
		return s.begin(path, body)
	case order == nil:
		return 404, problem("ORDER_NOT_EXIST")
	case closing:
		s.asked["close"]++
		if order.state == "SUCCESS" {
			return 400, problem("ORDER_PAID")
		}
		order.state = "CLOSED"
		return 204, nil
	}
	s.asked["ask"]++
	return 200, order.record()
}

// begin keeps an order.
func (s *simulator) begin(channel, body string) (int, any) {
	var in struct {
		Appid, Mchid, Description string
		OutTradeNo                string `json:"out_trade_no"`
		NotifyURL                 string `json:"notify_url"`
		Amount                    struct {
			Total    int64
			Currency string
		}
		SceneInfo struct {
			PayerClientIP string `json:"payer_client_ip"`
		} `json:"scene_info"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		s.t.Error(err)
	}
	if in.Appid != merchant.AppID || in.Mchid != merchant.MerchantID || in.Amount.Currency != "CNY" || len(in.OutTradeNo) != 32 || in.Description == "" ||
		!strings.HasSuffix(in.NotifyURL, notificationsPath) || channel == "h5" && in.SceneInfo.PayerClientIP == "" {
		s.t.Errorf("an order lacks something: %s", body)
		return 400, problem("PARAM_ERROR")
	}
	s.orders[in.OutTradeNo] = &simulated{
		reference: in.OutTradeNo, channel: channel, state: "NOTPAY", currency: "CNY", merchant: in.Mchid, amount: in.Amount.Total, notifyURL: in.NotifyURL,
	}
	if channel == "h5" {
		return 200, map[string]string{"h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=" + in.OutTradeNo}
	}
	return 200, map[string]string{"code_url": "weixin://wxpay/bizpayurl?pr=" + in.OutTradeNo}
}

// record is an order as WeChat Pay has it.
func (o *simulated) record() map[string]any {
	return map[string]any{
		"appid": merchant.AppID, "mchid": o.merchant, "out_trade_no": o.reference, "transaction_id": o.number, "trade_state": o.state,
		"amount": map[string]any{"total": o.amount, "payer_total": o.amount, "currency": o.currency, "payer_currency": o.currency},
	}
}

// only is the only order.
func (s *simulator) only() *simulated {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) != 1 {
		s.t.Fatalf("%d orders", len(s.orders))
	}
	for _, o := range s.orders {
		return o
	}
	return nil
}

// pay pays the only order.
func (s *simulator) pay(change ...func(*simulated)) *simulated {
	s.t.Helper()
	o := s.only()
	s.mu.Lock()
	defer s.mu.Unlock()
	o.state, o.number = "SUCCESS", "42000"+o.reference[:10]
	for _, c := range change {
		c(o)
	}
	return o
}

func (s *simulator) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *simulator) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[what]
}

// notification is what the simulator tells of an order, signed at a moment.
func (s *simulator) notification(o *simulated, at time.Time) (header http.Header, body string) {
	s.t.Helper()
	s.mu.Lock()
	plain, err := json.Marshal(o.record())
	s.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		s.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		s.t.Fatal(err)
	}
	nonce := "0123456789ab"
	raw, err := json.Marshal(map[string]any{
		"id": "EV-1", "create_time": at.Format(time.RFC3339), "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource", "summary": "支付成功",
		"resource": map[string]string{
			"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "associated_data": "transaction", "nonce": nonce,
			"ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), plain, []byte("transaction"))),
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	header = http.Header{"Content-Type": {"application/json"}}
	s.seal(header, at, string(raw))
	return header, string(raw)
}

// tell sends a notification to the service and returns how it answers.
func (s *simulator) tell(r running, header http.Header, body string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, r.URL+notificationsPath, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = header.Clone()
	answer, err := r.Client(s.t).Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
