module pqproxy.test/peer

go 1.27
