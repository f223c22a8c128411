"""The Earth of the example: the real coastline, and roughly where it is high, icy, wet, dry and built up.

Positions and sizes are read off an atlas by eye. They make maps that look familiar; they are not data.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray

LAND_MASK = Path(__file__).with_name("land_mask.npz")
"""Land (1) at the centres of quarter-degree cells, packed bits, rows from the north, columns from 180 W: a
sample of the 1-km GLOBE mask of the package ``global-land-mask``; lakes count as land."""


class Place(NamedTuple):
    """A rounded feature of the map: centre and half extents in degrees, and how strong it is."""

    latitude: float
    longitude: float
    half_height: float
    half_width: float
    strength: float = 1.0


# Departure of the surface's wetness (0 dry to 1 wet) from its latitude belt, early June.
_MOISTURE = (
    Place(22, 6, 8, 26, -0.40),  # Sahara
    Place(23, 46, 8, 11, -0.40),  # Arabia
    Place(32, 58, 6, 9, -0.25),  # Iran
    Place(43, 64, 6, 12, -0.25),  # Turan
    Place(38, 84, 4, 9, -0.35),  # Taklamakan
    Place(43, 104, 5, 11, -0.28),  # Gobi
    Place(27, 71, 5, 5, -0.22),  # Thar
    Place(18, 77, 7, 5, -0.15),  # Deccan before the monsoon
    Place(34, 84, 3, 8, -0.15),  # western Tibet
    Place(-26, 130, 8, 15, -0.28),  # inner Australia
    Place(-23, 19, 7, 8, -0.28),  # Kalahari, Namib
    Place(7, 46, 6, 5, -0.40),  # Horn of Africa
    Place(-21, -69, 9, 3, -0.35),  # Atacama
    Place(-43, -68, 7, 3, -0.25),  # Patagonia
    Place(-8, -40, 5, 4, -0.25),  # Caatinga
    Place(31, -109, 7, 8, -0.25),  # Sonora, Chihuahua
    Place(40, -116, 5, 6, -0.20),  # Great Basin
    Place(39, -4, 3, 5, -0.10),  # Spain
    Place(68, -110, 6, 25, -0.15),  # Canadian Arctic
    Place(-4, -64, 8, 10, 0.15),  # Amazon
    Place(0, 22, 6, 8, 0.15),  # Congo
    Place(7, -8, 3, 6, 0.15),  # Guinea coast
    Place(9, 37, 3, 3, 0.22),  # Ethiopian highlands
    Place(-18, 49, 6, 2, 0.15),  # eastern Madagascar
    Place(-27, -54, 6, 6, 0.22),  # southern Brazil
    Place(-46, -74, 6, 2, 0.30),  # southern Chile
    Place(0, 118, 9, 22, 0.12),  # maritime continent
    Place(27, 113, 5, 8, 0.32),  # southern China
    Place(25, 93, 4, 6, 0.25),  # Bengal, Assam
    Place(37, 136, 5, 8, 0.25),  # Japan
    Place(37, -82, 7, 9, 0.22),  # eastern United States
    Place(54, -126, 8, 6, 0.22),  # Pacific north-west
    Place(52, -72, 6, 14, 0.18),  # Quebec
    Place(61, 72, 6, 17, 0.22),  # western Siberia
    Place(62, 18, 7, 10, 0.20),  # Scandinavia
    Place(53, -4, 6, 6, 0.15),  # British Isles
    Place(-42, 173, 5, 5, 0.20),  # New Zealand
    Place(63, -150, 4, 9, 0.15),  # Alaska
)

# Height above the lowlands, m.
_MOUNTAINS = (
    Place(33, 89, 4, 11, 4700),  # Tibet
    Place(36, 76, 2, 3, 5000),  # Karakoram
    Place(28.5, 85, 1, 6, 4200),  # Himalaya
    Place(41, 76, 2, 6, 3000),  # Tien Shan
    Place(49, 89, 3, 6, 1800),  # Altai
    Place(46, 103, 5, 10, 1100),  # Mongolia
    Place(27, 101, 4, 4, 2200),  # Yunnan
    Place(65, 140, 5, 14, 700),  # eastern Siberia
    Place(33, 53, 5, 7, 1300),  # Iran
    Place(39, 39, 2, 5, 1500),  # Anatolia
    Place(42.7, 44, 1.2, 3, 2200),  # Caucasus
    Place(46.5, 10, 1.2, 4, 1900),  # Alps
    Place(63, 11, 5, 4, 800),  # Scandinavia
    Place(9, 39, 4, 3, 2100),  # Ethiopia
    Place(-3, 33, 7, 4, 1200),  # East Africa
    Place(-28, 26, 5, 6, 1200),  # South Africa
    Place(43, -109, 7, 6, 1900),  # Rocky Mountains
    Place(52, -118, 5, 4, 1500),  # Canadian Rockies
    Place(63, -149, 2, 8, 1500),  # Alaska Range
    Place(22, -102, 5, 4, 1900),  # Mexico
    Place(3, -75, 4, 2, 2200),  # northern Andes
    Place(-9, -76, 6, 2, 3300),  # Peru
    Place(-20, -67.5, 6, 2.5, 3900),  # Altiplano
    Place(-32, -70, 5, 1.2, 3600),  # central Andes
    Place(-47, -73, 5, 1.2, 1400),  # Patagonian Andes
    Place(-17, -46, 6, 5, 700),  # Brazilian highlands
    Place(-5, 141, 1.5, 5, 1900),  # New Guinea
    Place(73, -41, 9, 15, 2700),  # Greenland
    Place(80, -76, 2, 10, 900),  # Ellesmere
    Place(-84, 70, 13, 110, 3000),  # Antarctica
    Place(-80, -110, 9, 60, 1500),  # West Antarctica
)

_LAKES = (
    Place(41.7, 51, 4.6, 2.2),  # Caspian Sea
    Place(47.7, -87.5, 1.1, 3.2),  # Superior
    Place(44.0, -87.0, 2.2, 0.9),  # Michigan
    Place(44.8, -82.2, 1.4, 1.3),  # Huron
    Place(42.2, -81.2, 0.5, 1.9),  # Erie
    Place(43.6, -77.9, 0.4, 1.5),  # Ontario
    Place(52.6, -97.8, 1.8, 0.7),  # Winnipeg
    Place(61.7, -114, 0.7, 2.6),  # Great Slave
    Place(66, -121, 0.8, 2.3),  # Great Bear
    Place(60.8, 31.5, 0.9, 1.0),  # Ladoga
    Place(61.7, 35.5, 0.8, 0.7),  # Onega
    Place(53.5, 108, 1.8, 0.9),  # Baikal
    Place(45.1, 59.5, 0.9, 0.8),  # Aral
    Place(-1, 33, 1.5, 1.4),  # Victoria
    Place(-6, 29.5, 2.4, 0.45),  # Tanganyika
    Place(-12, 34.5, 2.3, 0.4),  # Malawi
    Place(-15.8, -69.5, 0.6, 0.5),  # Titicaca
)

# Strength is the share of the ground that is wetland.
_WETLANDS = (
    Place(60, 73, 4, 8, 0.35),  # western Siberia
    Place(54, -84, 3, 5, 0.40),  # Hudson Bay lowland
    Place(7.5, 30.5, 2, 1.5, 0.50),  # Sudd
    Place(-17.5, -57.2, 2.5, 1.5, 0.50),  # Pantanal
    Place(-19, 23, 1, 1.2, 0.40),  # Okavango
    Place(0.5, 17.5, 2, 2, 0.30),  # Congo basin
    Place(-3.5, -63, 1.2, 5, 0.25),  # Amazon floodplain
    Place(26, -81, 1, 0.7, 0.40),  # Everglades
)

_CITIES = (
    Place(35.7, 139.6, 0.4, 0.4),  # Tokyo
    Place(31.2, 121.3, 0.4, 0.4),  # Shanghai
    Place(28.6, 77.2, 0.4, 0.4),  # Delhi
    Place(30.0, 31.2, 0.3, 0.3),  # Cairo
    Place(51.5, -0.2, 0.3, 0.3),  # London
    Place(55.7, 37.6, 0.3, 0.3),  # Moscow
    Place(40.8, -74.2, 0.4, 0.4),  # New York
    Place(34.0, -118.1, 0.3, 0.4),  # Los Angeles
    Place(19.4, -99.1, 0.3, 0.3),  # Mexico City
    Place(-23.6, -46.6, 0.4, 0.4),  # Sao Paulo
    Place(-34.7, -58.5, 0.3, 0.3),  # Buenos Aires
    Place(-26.2, 28.1, 0.3, 0.3),  # Johannesburg
)


def is_land(latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    """Whether points are land; lakes are.

    Here and below: degrees north, -90..90, and degrees east, -180..180, in arrays that broadcast together.
    """
    with np.load(LAND_MASK) as file:
        land = np.unpackbits(file["land"], axis=1).astype(bool)
    row = np.clip(((90.0 - latitude) * 4).astype(np.int64), 0, land.shape[0] - 1)
    column = np.clip(((longitude + 180.0) * 4).astype(np.int64), 0, land.shape[1] - 1)
    return np.asarray(land[row, column])


def is_ice(latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    """Whether land at these points lies under an ice sheet: Antarctica and inner Greenland."""
    eastward = (longitude + 41.0) * np.cos(np.radians(latitude))  # Greenland narrows like its meridians
    greenland = (eastward / 5.0) ** 2 + ((latitude - 72.5) / 9.5) ** 2 < 1.0
    return greenland | (latitude < -60.0)


def is_lake(latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    """Whether points lie in one of the large lakes."""
    return _within(_LAKES, latitude, longitude)


def is_city(latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    """Whether points lie in one of the large cities."""
    return _within(_CITIES, latitude, longitude)


def wetland_share(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Share of the ground that is wetland, 0..1."""
    return _sum(_WETLANDS, latitude, longitude)


def elevation(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Smooth height of the land, m."""
    return 150.0 + _sum(_MOUNTAINS, latitude, longitude)


def wetness(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """How wet the surface is in early June, 0 (dry) to 1 (wet): latitude belts and large regions."""

    def belt(centre: float, half_width: float) -> FloatArray:
        return np.asarray(np.exp(-(((latitude - centre) / half_width) ** 2)))

    belts = 0.40 + 0.30 * belt(0, 9) + 0.24 * belt(57, 13) + 0.12 * belt(-45, 10)
    belts = belts - 0.10 * belt(24, 9) - 0.08 * belt(-25, 8)
    return np.clip(belts + _sum(_MOISTURE, latitude, longitude), 0.0, 1.0)


def _distance(place: Place, latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Squared distance from a place in units of its half extents."""
    eastward = (longitude - place.longitude + 180.0) % 360.0 - 180.0
    return np.asarray(((latitude - place.latitude) / place.half_height) ** 2 + (eastward / place.half_width) ** 2)


def _within(places: tuple[Place, ...], latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    return np.asarray(np.any([_distance(place, latitude, longitude) < 1.0 for place in places], axis=0))


def _sum(places: tuple[Place, ...], latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    return np.asarray(sum(place.strength * np.exp(-_distance(place, latitude, longitude)) for place in places))
