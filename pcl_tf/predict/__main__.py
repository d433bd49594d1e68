"""Answers of trained heads for pictures and videos: expression, head pose, whatever they were taught.

  python -m pcl_tf.predict --model=runs/mine/finetune/faces-.. --data=photos --out=answers.csv --detect
  python -m pcl_tf.predict --model=expression.keras,pose.keras --data=clip.mp4 --out=clip.parquet --detect --fps=10
  python -m pcl_tf.predict --model=pose.keras --data=clip.mp4 --out=clip.csv --detect --plot=c.png --overlay=c.mp4
  python -m pcl_tf.predict --model=faces64 --data=FOLDER --out=SHARDS --beam_pipeline_options=runner=FlinkRunner,..

--model is a fine-tuning of pcl_tf.finetune, a .keras of pcl_tf.probe or a box, or several joined by commas. A row a face:
file, frame, time, face_found, x, y, w, h, and what the heads say; a picture without a face has one, too. Without --detect a
picture is taken as a face, its central square. Unreadable pictures have a row too, in which face_found is empty, and are named
in OUT with ".unreadable.txt" behind it.
Exit codes: 0 done; 2 a flag, the model or the data is wrong; 4 the disk is full; 129, 130 and 143 stopped by SIGHUP,
Ctrl-C and SIGTERM: nothing is written.
"""

import contextlib
import pathlib

from absl import flags

from pcl_tf.console import begin, explained, finding_faces, refuse, start

_MODEL = flags.DEFINE_string("model", "", "heads64, faces64, fine-tuning, probe's .keras or box; commas join several.")
_DATA = flags.DEFINE_string(
    "data",
    "",
    "Picture, video, folder of both, zip, CSV that names pictures in a column path, image, file or filename, dataset of"
    " pcl_tf.prepare; commas join several.",
)
_OUT = flags.DEFINE_string("out", "", "File to write: .csv, .parquet or .jsonl.")
_FINDING = finding_faces()
_PLOT = flags.DEFINE_string("plot", "", "PNG of the answers over time, some faces below.")
_OVERLAY = flags.DEFINE_string("overlay", "", "MP4 of a video with boxes, axes of the heads and answers in it.")


def main(argv: list[str]) -> None:
    begin(argv, "model", "data", "out")
    how, beam = _FINDING("plot", "overlay")
    from pcl_tf.store import check, list_unreadable, several
    from pcl_tf.tables import FORMATS, writer

    out, names = pathlib.Path(_OUT.value), several(_MODEL.value)
    with explained(out):
        if beam:
            from pcl_tf.faces.shards import Work, run

            return run(Work(_DATA.value, _OUT.value, tuple(names), **how), beam)
        listed = out.with_name(out.name + ".unreadable.txt")
        check(_OUT.value, suffix=FORMATS, inputs=[_DATA.value])
        check(listed, inputs=[_DATA.value])
        for path, flag, suffix in ((_PLOT.value, "--plot", ".png"), (_OVERLAY.value, "--overlay", ".mp4")):
            if path:
                check(path, flag, suffix=suffix, inputs=[_DATA.value])
        from pcl_tf.encoders.encoder import find_encoder
        from pcl_tf.faces.answers import Answers
        from pcl_tf.faces.model import load, shown
        from pcl_tf.faces.pictures import Pictures
        from pcl_tf.predict.pictures import Curves, overlay

        for name in names:
            find_encoder(name)  # here and below TensorFlow is imported only after the checks
        pictures = Pictures(_DATA.value, fps=how["fps"])
        if _OVERLAY.value and not pictures.one_video:
            refuse("--overlay: is of one video; give one as --data.")
        models = [load(name, margin=how["margin"]) for name in names]
        answers = Answers(models, pictures, detect=how["detect"], align=how["align"])
        count = 0
        with contextlib.ExitStack() as stack:
            write = stack.enter_context(writer(out, answers.columns))
            over = stack.enter_context(overlay(_OVERLAY.value)) if _OVERLAY.value else None
            curves = Curves(answers.panels) if _PLOT.value else None
            for one, rows in shown(answers.each(keep=bool(_OVERLAY.value)), pictures, True):
                for row in rows:
                    write(row)
                count += len(rows)
                if curves:
                    curves.add(one, rows)
                if over:
                    over.add(one, rows)
            answers.check_readable()
            if curves:
                curves.draw(_PLOT.value)
        print(f"{out}: {count} rows, {answers.pictures_without} pictures without a face")
        list_unreadable(listed, answers.unreadable)
        if answers.unreadable:
            print(f"{len(answers.unreadable)} pictures are unreadable; {listed} names them.")
        if answers.looks_whole:
            side = 4 * max(model.size for model in answers.models)
            print(
                f"{answers.looks_whole} pictures do not look like a face cut out: they are far from square, or larger than"
                f" {side} pixels. --detect finds the faces in them."
            )
        print(*filter(None, (_PLOT.value, _OVERLAY.value)), sep="\n", end="\n" if _PLOT.value or _OVERLAY.value else "")


if __name__ == "__main__":
    start(main)
