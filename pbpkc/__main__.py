"""``python -m pbpkc`` is the command ``pbpkc``."""

from pbpkc.cli import main

if __name__ == "__main__":
    main()
