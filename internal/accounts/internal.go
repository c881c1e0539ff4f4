package accounts

import "github.com/linli-io/linli/internal/host"

func (s *service) mountInternal(mux *host.Router)  {}
func (s *service) mountAPI(mux *host.Router) error { return nil }

const homePath = "/" + Name + "/"
