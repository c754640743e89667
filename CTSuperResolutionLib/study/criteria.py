"""Criteria for grading image quality in CT: the ready sets, after the European guidelines.

The sets are the criteria of critical reproduction in G. Bongartz et al., European Guidelines on Quality Criteria for
Computed Tomography, EUR 16262 EN, European Commission 1999: "Chest, general", "Abdomen, general" and "Brain, general",
without those that need contrast medium. Chest and abdomen are worded as the guidelines are. The head's were not
compared with their text; do so before a study refers to them.
"""

from __future__ import annotations

CRITERIA: dict[str, tuple[str, ...]] = {
    "chest": (
        "Visually sharp reproduction of the thoracic aorta",
        "Visually sharp reproduction of the anterior mediastinal structures, including thymic residue (if present)",
        "Visually sharp reproduction of the trachea and main bronchi",
        "Visually sharp reproduction of the paratracheal tissue",
        "Visually sharp reproduction of the carina and lymph node area",
        "Visually sharp reproduction of the oesophagus",
        "Visually sharp reproduction of the pleuromediastinal border",
        "Visually sharp reproduction of large and medium sized pulmonary vessels",
        "Visually sharp reproduction of segmental bronchi",
        "Visually sharp reproduction of the lung parenchyma",
        "Visually sharp reproduction of the border between the pleura and the thoracic wall",
    ),
    "abdomen": (
        "Visually sharp reproduction of the liver parenchyma and intrahepatic vessels",
        "Visually sharp reproduction of the splenic parenchyma",
        "Visually sharp reproduction of the intestine",
        "Visually sharp reproduction of the perivascular retroperitoneal space",
        "Visually sharp reproduction of the pancreatic contours",
        "Visually sharp reproduction of the duodenum",
        "Visually sharp reproduction of the kidneys and proximal ureters",
        "Visually sharp reproduction of the aorta",
        "Visually sharp reproduction of the aortic bifurcation and common iliac arteries",
        "Reproduction of lymph nodes smaller than 15 mm in diameter",
        "Reproduction of branches of the abdominal aorta",
        "Visually sharp reproduction of the vena cava",
        "Reproduction of tributaries to the vena cava in particular the renal veins",
    ),
    "head": (
        "Visually sharp reproduction of the border between white and grey matter",
        "Visually sharp reproduction of the basal ganglia",
        "Visually sharp reproduction of the ventricular system",
        "Visually sharp reproduction of the cerebrospinal fluid space around the mesencephalon",
        "Visually sharp reproduction of the cerebrospinal fluid space over the brain",
    ),
}
