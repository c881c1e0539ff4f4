module github.com/linli-io/linli

go 1.26.0
