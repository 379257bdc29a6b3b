"""Parts of a path that may hold anything: a user's name with a slash, or what has to be refused."""

from starlette.convertors import Convertor, register_url_convertor


class AnythingConvertor(Convertor[str]):
    """Like Starlette's `path`, but for line ends too, so that a bad name is 422 and not 404."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Take it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Give it as it is."""
        return value


register_url_convertor("anything", AnythingConvertor())

USER_ID = "{user_id:anything}"
"""A user's name in a route."""
