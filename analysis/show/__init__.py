"""How a study is shown: pictures, tables, the report, README and docs, notebooks."""
