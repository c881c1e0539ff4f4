package accounts

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/h5"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/telemetry"
)

// The keys of WeChat Pay beside the community's others.
const (
	weChatPrivateKeyFile = "wechatpay.private-key.pem"
	weChatAPIKeyFile     = "wechatpay.api-v3.key"
	weChatPublicKeyFile  = "wechatpay.public-key.pem"
)

// currency is the only one in which a purse is paid.
const currency = "CNY"

// weChat takes payments by WeChat Pay's API v3.
type weChat struct {
	settings v1alpha1.WeChatPay
	// notifyURL is where it tells what became of payments.
	notifyURL     string
	client        *core.Client
	notifications *notify.Handler
}

// newWeChat is the merchant account of the settings, with its keys. client
// reaches https://api.mch.weixin.qq.com.
func newWeChat(settings v1alpha1.WeChatPay, key func(file string) ([]byte, error), notifyURL string, client *http.Client) (*weChat, error) {
	private, err := pemKey(key, weChatPrivateKeyFile, utils.LoadPrivateKey)
	if err != nil {
		return nil, err
	}
	public, err := pemKey(key, weChatPublicKeyFile, utils.LoadPublicKey)
	if err != nil {
		return nil, err
	}
	api, err := key(weChatAPIKeyFile)
	if err != nil {
		return nil, err
	}
	w := &weChat{settings: settings, notifyURL: notifyURL}
	w.notifications, err = notify.NewRSANotifyHandler(strings.TrimSpace(string(api)), verifiers.NewSHA256WithRSAPubkeyVerifier(settings.PublicKeyID, *public))
	if err != nil {
		return nil, fmt.Errorf("%s must have 32 characters, as WeChat Pay's merchant platform gives it out", weChatAPIKeyFile)
	}
	w.client, err = core.NewClient(context.Background(), option.WithHTTPClient(client),
		option.WithWechatPayPublicKeyAuthCipher(settings.MerchantID, settings.CertificateSerial, private, settings.PublicKeyID, public))
	return w, err
}

// pemKey reads a key of the Secret. The error does not have what is in it.
func pemKey[K *rsa.PrivateKey | *rsa.PublicKey](key func(string) ([]byte, error), file string, parse func(string) (K, error)) (k K, err error) {
	text, err := key(file)
	if err != nil {
		return k, err
	}
	if k, err = parse(string(text)); err != nil {
		return k, fmt.Errorf("%s is not an RSA key in PEM, as WeChat Pay's merchant platform gives it out", file)
	}
	return k, nil
}

// saying is an error of the library without what was sent and answered: that
// may name people.
func saying(err error) error {
	if failed, ok := errors.AsType[*core.APIError](err); ok {
		return fmt.Errorf("WeChat Pay answers %d %s", failed.StatusCode, failed.Code)
	}
	return telemetry.Unreached(err)
}

// answers reports whether WeChat Pay refuses with a code.
func answers(err error, code string) bool { return core.IsAPIError(err, code) }

func (w *weChat) Begin(ctx context.Context, p Payment, description, from string) (string, error) {
	reference, expires := p.Reference(), p.ExpiresAt
	if p.Channel == ChannelNative {
		answer, _, err := (&native.NativeApiService{Client: w.client}).Prepay(ctx, native.PrepayRequest{
			Appid: &w.settings.AppID, Mchid: &w.settings.MerchantID, Description: &description, OutTradeNo: &reference, TimeExpire: &expires, NotifyUrl: &w.notifyURL,
			Amount: &native.Amount{Total: &p.Amount, Currency: core.String(currency)},
		})
		if err != nil || answer.CodeUrl == nil {
			return "", fmt.Errorf("beginning a payment: %w", saying(err))
		}
		return *answer.CodeUrl, nil
	}
	answer, _, err := (&h5.H5ApiService{Client: w.client}).Prepay(ctx, h5.PrepayRequest{
		Appid: &w.settings.AppID, Mchid: &w.settings.MerchantID, Description: &description, OutTradeNo: &reference, TimeExpire: &expires, NotifyUrl: &w.notifyURL,
		Amount:    &h5.Amount{Total: &p.Amount, Currency: core.String(currency)},
		SceneInfo: &h5.SceneInfo{PayerClientIp: &from, H5Info: &h5.H5Info{Type: core.String("Wap")}},
	})
	if err != nil || answer.H5Url == nil {
		return "", fmt.Errorf("beginning a payment: %w", saying(err))
	}
	return *answer.H5Url, nil
}

func (w *weChat) Ask(ctx context.Context, p Payment) (Outcome, error) {
	reference := p.Reference()
	answer, _, err := (&native.NativeApiService{Client: w.client}).QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{
		OutTradeNo: &reference, Mchid: &w.settings.MerchantID,
	})
	if answers(err, "ORDER_NOT_EXIST") || answers(err, "ORDERNOTEXIST") {
		return Outcome{}, errUnknownPayment
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("asking for a payment: %w", saying(err))
	}
	return w.outcome(answer), nil
}

func (w *weChat) Close(ctx context.Context, p Payment) error {
	reference := p.Reference()
	_, err := (&native.NativeApiService{Client: w.client}).CloseOrder(ctx, native.CloseOrderRequest{OutTradeNo: &reference, Mchid: &w.settings.MerchantID})
	if err != nil {
		return fmt.Errorf("closing a payment: %w", saying(err))
	}
	return nil
}

// outcome is what WeChat Pay's record of a payment says.
func (w *weChat) outcome(t *payments.Transaction) Outcome {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	o := Outcome{Reference: text(t.OutTradeNo), Number: text(t.TransactionId)}
	switch text(t.TradeState) {
	case "SUCCESS":
		o.Paid = true
	case "REFUND":
		o.Paid, o.Odd = true, OddGivenBack
	case "CLOSED", "REVOKED", "PAYERROR":
		o.Closed = true
	}
	if t.Amount != nil && t.Amount.Total != nil {
		o.Amount = *t.Amount.Total
	}
	switch {
	case !o.Paid:
	case text(t.Mchid) != w.settings.MerchantID || text(t.Appid) != w.settings.AppID:
		o.Odd = OddPayee
	case t.Amount == nil || text(t.Amount.Currency) != currency:
		o.Odd = OddCurrency
	}
	return o
}

// errForged means that a notification is not WeChat Pay's, or not of now.
var errForged = errors.New("the notification is not WeChat Pay's, or is too old")

// Notified reads a notification: its signature, its age, and what it says,
// which is encrypted. It is false if that is about no payment.
func (w *weChat) Notified(ctx context.Context, r *http.Request) (o Outcome, about bool, err error) {
	var t payments.Transaction
	// The library's errors have the request in them.
	if _, err := w.notifications.ParseNotifyRequest(ctx, r, &t); err != nil {
		return o, false, errForged
	}
	o = w.outcome(&t)
	return o, o.Paid, nil
}
