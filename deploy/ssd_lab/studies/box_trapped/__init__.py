"""The Box Trapped study: does influence make the free agent open the box (§10.3)?

Start reading in `__main__`; `python -m ssd_lab.studies.box_trapped --out DIR` runs the whole study.
"""
