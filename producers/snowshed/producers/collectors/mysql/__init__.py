"""MySQL and MariaDB: how far replicas are behind, and whether they apply."""

from snowshed.producers.collectors.mysql.collectors import mysql_collectors

__all__ = ["mysql_collectors"]
