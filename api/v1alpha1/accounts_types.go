package v1alpha1

// Accounts is the accounts service's part of a Community: one purse (钱包) for
// each resident, from which other services are paid.
type Accounts struct {
	// weChatPay lets residents top up with WeChat Pay (微信支付). Without it
	// they top up in cash.
	// +optional
	WeChatPay *WeChatPay `json:"weChatPay,omitempty"`
}

// WeChatPay is the merchant account into which a community's residents pay. Its
// keys are in the Secret linli-keys of the community's namespace:
// wechatpay.private-key.pem (of the merchant's certificate), wechatpay.api-v3.key
// and wechatpay.public-key.pem (by which WeChat Pay's answers are verified).
type WeChatPay struct {
	// appID is the application that is bound to the merchant account.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^wx[0-9A-Za-z]{4,30}$`
	AppID string `json:"appID"`
	// merchantID is the merchant's number (商户号).
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[0-9]{8,16}$`
	MerchantID string `json:"merchantID"`
	// certificateSerial is the serial number of the merchant's certificate, in
	// hexadecimal.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9A-F]{8,64}$`
	CertificateSerial string `json:"certificateSerial"`
	// publicKeyID names WeChat Pay's public key (微信支付公钥ID).
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^PUB_KEY_ID_[0-9A-Za-z]{1,64}$`
	PublicKeyID string `json:"publicKeyID"`
}
