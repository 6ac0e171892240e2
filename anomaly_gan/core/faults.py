"""Every fault code that a message can carry: what it means, what happens, what to do.

``docs/faults.md`` is made from this table, and ``anomaly-gan explain CODE`` prints a row of it. A code is one letter for
its chapter and a number; codes without a number concern a source as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .config import nearest
from .errors import ConfigError


class Fate(StrEnum):
    """What becomes of the record or the stage."""

    REFUSED = "the record is left out and named in rejects.jsonl; more than max_bad of them stop the stage"
    STOPS = "the stage stops"
    REPAIRED = "repaired and counted"
    WARNED = "read as it is, with a warning"
    FAILS = "the generated photograph or the check fails; exit code 1"


R, S, F, W, X = Fate.REFUSED, Fate.STOPS, Fate.REPAIRED, Fate.WARNED, Fate.FAILS
CHAPTERS = {
    "A": "Photographs",
    "B": "Masks",
    "C": "labelme files, labels and their names",
    "D": "COCO files, outlines and run lengths",
    "E": "Objects and the split",
    "F": "Mask pool and rating",
    "G": "Training",
    "H": "Generated photographs",
    "I": "Figures and weights",
    "J": "Exported data sets",
    "K": "Detectors",
    "R": "CSV tables",
    "S": "Paths and names",
    "V": "Pascal VOC",
    "Y": "YOLO",
    "": "Sources as a whole",
}


@dataclass(frozen=True)
class Fault:
    """``what`` it means, its ``fate``, and what ``todo`` about it."""

    code: str
    what: str
    fate: Fate
    todo: str

    @property
    def chapter(self) -> str:
        return CHAPTERS[self.code[0] if self.code[1:].isdigit() else ""]


FAULTS: dict[str, Fault] = {
    fault.code: fault
    for fault in (
        Fault("A1", "the photograph is turned by EXIF", F, "nothing: pixels and labels are turned together"),
        Fault("A2", "a mask carries an EXIF orientation", R, "save it without EXIF"),
        Fault("A3", "an EXIF orientation that does not exist", W, "nothing: it counts as not turned"),
        Fault("A4", "EXIF turns the photograph, and its label has the size of the unturned pixels", S, "set exif=raw"),
        Fault("A5", "EXIF turns the photograph, and sizes cannot tell how its label was drawn", S, "set exif"),
        Fault("A6", "samples of more than 8 bits are scaled to 8; or they lie beyond the bits told", F, "set bits"),
        Fault("A7", "floating-point pixels, whose range nobody declares", R, "save as 16 bits"),
        Fault("A8", "CMYK, YCbCr or LAB is converted to RGB", F, "nothing"),
        Fault(
            "A9", "palette, alpha or 1 bit is made gray or RGB; alpha that is no cut-out is left out", F, "look at it"
        ),
        Fault("A10", "gray and coloured photographs in one set", W, "take out the few, or set colour=gray or rgb"),
        Fault("A11", "several pictures in one file (animation, pages)", R, "export one of them"),
        Fault("A12", "the file does not decode", R, "fetch it again"),
        Fault("A13", "the bytes are others than at ingest", S, "run ingest again"),
        Fault("A14", "a PNG is cut off, or a checksum is wrong", R, "fetch it again"),
        Fault("A15", "the content is no picture that is read", R, "convert it to PNG"),
        Fault("A16", "the name's ending says another kind of picture than the content", W, "nothing: content counts"),
        Fault("A17", "too many pixels or bytes", R, "cut it into tiles"),
        Fault("A18", "compressed metadata that is too large, or EXIF that cannot be read", R, "strip its metadata"),
        Fault("A19", "smaller than min_side, or than the region to look at", R, "remove it, or lower min_side"),
        Fault("A20", "a kind of file that is not read", R, "convert it to PNG"),
        Fault("A21", "not a readable regular file inside the source", R, "copy the file here"),
        Fault(
            "A22", "two names of the same letters in two Unicode forms, or a name that is not UTF-8", S, "rename one"
        ),
        Fault("A24", "missing, or changed since it was recorded", S, "run the stage before again"),
        Fault(
            "A26", "fewer than 16 gray levels are left of a picture that had more", R, "set bits; save without alpha"
        ),
        Fault("B1", "mask and photograph have unlike sizes", R, "export the mask at the photograph's size"),
        Fault("B2", "a mask of 0 and one other value than 255", F, "nothing: everything but 0 is defect"),
        Fault("B3", "an anti-aliased mask is cut at half", F, "nothing"),
        Fault("B4", "a mask stored as JPEG is cut at half; refused where it holds several levels", F, "export as PNG"),
        Fault(
            "B6", "a mask in a colour mode that masks have not, or one whose alpha is the mask", F, "export gray PNG"
        ),
        Fault("B7", "a mask contradicts its folder: all zero in a defect's, marked in a sound one's", R, "move one"),
        Fault(
            "B8",
            "nearly all of the mask is defect; where most masks are so, the stage stops",
            W,
            "invert it; or --classes",
        ),
        Fault("B9", "a mask of the pool is not usable", R, "draw it again"),
        Fault("B10", "a mask falls into more than 10,000 parts: noise", R, "remove the noise"),
        Fault(
            "B11",
            "a mask or label without its photograph, a photograph without its own, or with several",
            R,
            "pair them",
        ),
        Fault(
            "B14", "a mask holds several values or colours that may be classes; or a region is ignored", S, "--classes"
        ),
        Fault("B15", "what is told about classes cannot be understood", S, "write it as 1=crack,2=patch,255=ignore"),
        Fault("B16", "a photograph lies among the masks", S, "move it out of the mask folder"),
        Fault(
            "B17", "labels are boxes alone, and each box counts as its mask", W, "outline defects, or set boxes=refuse"
        ),
        Fault("C1", "the size a label declares is not the photograph's", R, "export it again"),
        Fault("C2", "imagePath leads outside the source, or to no photograph", R, "correct it, or --images DIR"),
        Fault("C3", "the copy in imageData shows another picture", R, "remove imageData, or correct imagePath"),
        Fault("C4", "no photograph at all, or imageData does not decode", R, "put the photograph there"),
        Fault("C5", "a kind of shape without area, or not known", R, "draw a polygon; for lines set line_width"),
        Fault("C6", "a shape of too few points, or without area", R, "redraw the shape"),
        Fault("C7", "a shape leaves the photograph: clipped; refused where most of it lies outside", F, "redraw it"),
        Fault("C8", "a coordinate is no number, or beyond any photograph", R, "redraw the shape"),
        Fault("C9", "a group_id joins unlike labels, or is no integer", R, "give unlike defects unlike groups"),
        Fault("C10", "labels that differ in case or spaces alone", W, "--labels old=new; strict stops"),
        Fault("C11", "a label that is missing, or cannot name a folder", R, "name the defect"),
        Fault("C13", "a text that is not UTF-8", R, "save it as UTF-8"),
        Fault("C14", "a file that is not JSON, or is too large or deep", R, "export it again"),
        Fault("C15", "JSON of another format", S, "choose it with --format"),
        Fault("C16", "what is told about labels cannot be understood", S, "write pairs as old=new"),
        Fault("D1", "run lengths do not fit the photograph", R, "export them again"),
        Fault("D2", "run lengths of another size", R, "export them again"),
        Fault("D3", "a size that is no pair of positive integers", R, "correct it"),
        Fault("D5", "a segmentation that is missing, empty or unlike COCO's; some are repaired", R, "draw it again"),
        Fault("D6", "ids that stand twice", S, "make them unique"),
        Fault("D7", "an annotation whose photograph or category cannot be told", R, "correct or remove it"),
        Fault("D8", "an id that is none", S, "number it"),
        Fault("D9", "a category without a name; annotations of the background are left out", F, "name it"),
        Fault("D10", "a box that is not its mask's", F, "nothing: it is computed anew"),
        Fault("D11", "an area that is not its mask's", F, "nothing: it is computed anew"),
        Fault("D12", "iscrowd: kept, out of training and scores; refused where it is not 0 or 1", W, "set 0 or 1"),
        Fault("D13", "one photograph stands twice in label files", S, "merge the two"),
        Fault(
            "D14", "file_name leads outside the source; the photograph of that name is taken where there is one", F, ""
        ),
        Fault("D16", "the same annotation twice", F, "nothing: it counts once"),
        Fault("D17", "coordinates from 0 to 1: scaled where all are, else refused", F, "export pixels"),
        Fault("D18", "most boxes lie elsewhere than their outlines", S, "export again: axes or units are wrong"),
        Fault("E1", "the same bytes on both sides of the split", S, "run ingest again"),
        Fault(
            "E3", "an object on both sides of the split, or a photograph whose object is not told", S, "complete groups"
        ),
        Fault(
            "E4", "something made from a test photograph, or one that is not of the training split", S, "build it again"
        ),
        Fault("E7", "too few objects of a category for training and test", S, "photograph more, or leave it out"),
        Fault("E10", "the same photograph with unlike labels", S, "remove the one that is wrong"),
        Fault("F1", "a score or row of a rating file that is none", R, "correct the row"),
        Fault("F2", "a rating that stands twice", R, "remove one"),
        Fault("F7", "a rating of a drawing that is not there, or has changed", S, "rate it again"),
        Fault("F8", "a rating beyond the scale", R, "rate from 0 to 10"),
        Fault("F12", "the file of ratings is damaged", S, "copy what the message names in its place"),
        Fault("F14", "there is nothing to rate", S, "build the pool, or draw masks first"),
        Fault(
            "G8",
            "a training that was begun under other versions of its libraries",
            S,
            "delete it to start anew, or install those versions",
        ),
        Fault("G11", "a training that came to nothing: silent discriminators, one level, one look", W, "another seed"),
        Fault("G13", "too few training defects or masks of a category", S, "label more, or leave it out"),
        Fault("H6", "the same picture as another one", X, "nothing: it is left out"),
        Fault("H7", "changed outside its mask, or too little inside", X, "train longer; see the report"),
        Fault("H8", "pixels of a wrong shape or type", X, "report it"),
        Fault("H9", "more was asked for than there is room or masks for", S, "enlarge the pool, or ask for less"),
        Fault("H10", "a model of other categories", S, "train again"),
        Fault(
            "H11",
            "a defect that lies, or is turned, as no real one of its category",
            X,
            "build the pool again; gate.least_likely: 0 lets it pass",
        ),
        Fault("I1", "too few pictures for a figure", S, "give more"),
        Fault("I2", "features that do not fit or are not finite", S, "use one backbone; look for damaged files"),
        Fault("I6", "a weight file is another one than recorded", S, "anomaly-gan weights fetch NAME"),
        Fault("J1", "ids of an exported data set are not 1, 2, 3 ...", X, "report it"),
        Fault("J3", "an annotation does not agree with its pixels", X, "report it"),
        Fault("J6", "the output folder holds files that no stage wrote", S, "choose an empty or new folder"),
        Fault("K1", "no photograph could be read", S, "see rejects.jsonl"),
        Fault("K3", "a category number beyond the model's", S, "train again"),
        Fault("K4", "categories in another order than the model's", S, "use the data set of its training"),
        Fault(
            "K5", "too few held-out sound parts for the false-alarm rate asked for", S, "photograph more, or ask less"
        ),
        Fault("K8", "evaluated on another test split", S, "run the older ones again"),
        Fault("R1", "no CSV of run lengths, or a row that is none", S, "name columns file, category, rle"),
        Fault("S5", "a path that leads out of its folder", S, "ingest again"),
        Fault("S6", "a category whose name cannot be typed or be a folder", S, "rename it and ingest again"),
        Fault("S11", "an archive too large, or packed tighter than any photograph", S, "unpack it yourself"),
        Fault("V1", "not an XML annotation of Pascal VOC", R, "export it again"),
        Fault("V2", "an object whose box or number does not fit its mask", R, "export both together"),
        Fault("Y1", "a line of a YOLO label that is none", R, "export it again"),
        Fault("Y2", "YOLO coordinates beyond 0..1: pixels, not shares", R, "divide by width and height"),
        Fault("Y3", "a class number that data.yaml does not name", R, "correct data.yaml"),
        Fault(
            "FORMAT",
            "none of the formats fits, or several; or a file of this project's is not what it should be",
            S,
            "say which with --format; run the stage that wrote the file again",
        ),
        Fault("LIGHT", "an exposure that the light model has not learnt", S, "say how much brighter in stops"),
        Fault("MISSING", "a file or folder that is not there", S, "check the path"),
        Fault("MAX-BAD", "more records are refused than max_bad allows, or none can be used", S, "mend them"),
        Fault("OBJECT", "a set of several objects", S, "pick one with --object"),
        Fault("SCHEMA", "a data set or run of another version of this program", S, "use the version that made it"),
        Fault("UNFINISHED", "a stage that has not finished yet", S, "run it first"),
    )
}


def explain(code: str) -> str:
    """The row of a code, in three lines.

    Raises:
        ConfigError: no such code.
    """
    fault = FAULTS.get(code.strip().upper())
    if fault is None:
        raise ConfigError(f"explain: no fault code {code!r}{nearest(code.upper(), list(FAULTS))}; see docs/faults.md")
    todo = f"\nWhat to do: {fault.todo}." if fault.todo else ""
    return f"{fault.code} ({fault.chapter}): {fault.what}.\nWhat happens: {fault.fate}.{todo}"


def page() -> str:
    """``docs/faults.md``."""
    lines = [
        "# Fault codes",
        "",
        "Messages read `FILE[record]: CODE: reason: what to do`. `anomaly-gan explain CODE` prints a row of this page, "
        "which is made from `anomaly_gan/core/faults.py` by `make faults`. Repaired and warned are counted and shown by "
        "`ingest`, with the first photograph.",
    ]
    for chapter in CHAPTERS.values():
        rows = [fault for fault in FAULTS.values() if fault.chapter == chapter]
        lines += ["", f"## {chapter}", "", "| code | meaning | what happens | what to do |", "|---|---|---|---|"]
        lines += [f"| {row.code} | {row.what} | {row.fate} | {row.todo or 'nothing'} |" for row in rows]
    return "\n".join(lines) + "\n"
