"""Soil moisture measured at stations: tables and archives of ISMN to series in time, with what became of each row."""
