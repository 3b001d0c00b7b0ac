"""The Box Trapped study: does influence make the free agent let the other one out (§10.3)?

Start reading in `__main__`; `python -m ssd_lab.studies.box_trapped --out DIR` does all of it.
"""
