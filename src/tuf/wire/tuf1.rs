//! Profile `tuf`: TUF 1.0.34 as python-tuf, tough and go-tuf read it.
