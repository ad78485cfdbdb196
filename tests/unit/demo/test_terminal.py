from pqproxy.demo.terminal import harmless


def test_words_in_any_script_pass_with_their_line_ends():
    assert harmless(" Schlüssel\n\t鍵 🔑") == " Schlüssel\n\t鍵 🔑"


def test_nothing_that_steers_a_terminal_passes():
    steering = "\x1b[2J\x07\r\x9b31m\x00\u202e"

    passed = harmless(steering)

    assert len(passed) == len(steering)
    assert not set(passed) & set("\x1b\x07\r\x9b\x00\u202e")
