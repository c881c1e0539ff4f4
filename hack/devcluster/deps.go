package main

import (
	_ "k8s.io/client-go/informers"
	_ "k8s.io/client-go/kubernetes"
	_ "k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
	_ "k8s.io/kubernetes/cmd/kubelet/app"
	_ "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	_ "k8s.io/kubernetes/pkg/volume/hostpath"
	_ "sigs.k8s.io/gateway-api/apis/v1"
	_ "sigs.k8s.io/gateway-api/pkg/client/informers/externalversions"
	_ "sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)
