from pqproxy.proxy.specialized import own_copies


class Base:
    def greet(self, name="you"):
        """Say something."""
        return f"{type(self).__name__} greets {name}"

    def leave(self):
        return "bye"


@own_copies("greet")
class One(Base):
    pass


@own_copies("greet")
class Other(Base):
    pass


def test_a_copy_behaves_as_what_was_inherited():
    assert One().greet() == "One greets you"
    assert Other().greet("them") == "Other greets them"
    assert (One.greet.__name__, One.greet.__doc__) == ("greet", "Say something.")


def test_each_class_has_bytecode_of_its_own():
    """Only then can the interpreter fit it to the one type that it meets there."""
    codes = {id(one.greet.__code__) for one in (Base, One, Other)}

    assert len(codes) == 3


def test_nothing_else_is_copied():
    assert One.leave is Base.leave
