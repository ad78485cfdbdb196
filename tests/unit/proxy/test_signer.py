import threading

from pqproxy.proxy.signer import attempt


def test_work_runs_on_a_thread_and_its_end_in_the_loop(world):
    threads, results = [], []

    def work():
        threads.append(threading.current_thread())
        return b"signature"

    def done(result):
        threads.append(threading.current_thread())
        results.append(result)

    world.engine.signer.sign(work, done)
    world.until(lambda: results)

    assert results == [b"signature"]
    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


def test_an_exception_is_a_result_too(world):
    results = []

    def work():
        raise ValueError("no key")

    world.engine.signer.sign(work, results.append)
    world.until(lambda: results)

    assert isinstance(results[0], ValueError)
    assert isinstance(attempt(work), ValueError)


def test_threads_are_few_however_much_there_is_to_sign(world):
    running, peak, results = 0, 0, []
    lock = threading.Lock()
    gate = threading.Event()

    def work():
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        gate.wait(5)
        with lock:
            running -= 1
        return b""

    for _ in range(20):
        world.engine.signer.sign(work, results.append)
    world.until(lambda: running == 2)
    world.turn(20)
    gate.set()
    world.until(lambda: len(results) == 20)

    assert peak == 2
