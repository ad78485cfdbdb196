from pqproxy.checking.findings import Level, Report, Section, failure, good, warning, worst

GOOD, WARNING, FAILURE = good("a", "x"), warning("b", "x", "y"), failure("c", "x", "y")


def test_the_worst_finding_is_the_verdict():
    assert worst([]) is Level.GOOD
    assert worst([GOOD, WARNING, GOOD]) is Level.WARNING
    assert worst([FAILURE, WARNING]) is Level.FAILURE


def test_a_report_names_what_fails_once():
    report = Report("p", (Section("one", (GOOD, FAILURE, FAILURE)), Section("two", (WARNING,))))

    assert report.failures() == ("x",)
    assert report.verdict is Level.FAILURE
