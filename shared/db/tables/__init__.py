"""The tables of Postgres, as SQLAlchemy Core; migrations/ brings a database to this shape."""
