module pqproxy.test/composite

go 1.27
