"""The built-in maps, drawn with the legend of `ssd_envs.maps.game_map`."""

CLEANUP = """
##################
#~~~~~~.....ooooo#
#wwwwww......oooo#
#~~~~~~.....ooooo#
#~~~~~..+....oooo#
#~~~~~....+.ooooo#
#wwwww.......oooo#
#~~~~~......ooooo#
#wwwwww======oooo#
#wwwwww======oooo#
#~~~~~...+.+.oooo#
#wwwww...+..ooooo#
#~~~~~~....+.oooo#
#wwwwww.+...ooooo#
#~~~~~.......oooo#
#wwww....+..ooooo#
#~~~~~.......oooo#
#wwwww..+.+.ooooo#
#~~~~~.......oooo#
#wwww.......ooooo#
#~~~~~.......oooo#
#wwwww......ooooo#
#~~~~~.......oooo#
#wwww.......ooooo#
##################
"""

HARVEST = """
######################################
#.+...+......o....+.ooooo....+..o.+..#
#..+.....o.+.oo....+....ooo....o..o..#
#.....o.ooo..ooo....o....o.oo.oooo...#
#.o..ooo.o....o..o.ooo..o..o...o.o...#
#ooo..o.o....o..ooo.o..ooo........o.+#
#.o.o..ooo..ooo..o.o....o.oo...oo.oo.#
#..o.o..ooo....o.o..ooo....ooo..o....#
#...ooo..o......ooo..o....oooo.......#
#.+..o.......o..o.ooo....o..o......+.#
#o..ooo..o..o..ooo.o....oooo.....+...#
#....o.o...ooo..o.o......o.oo...o..+.#
#.....ooo...o.o..ooo......oo...ooo.+.#
#.o....o.....ooo..o..+..........o....#
#.......+.....o.........+..+.+.....+.#
######################################
"""

CLEANUP_SMALL = """
########
#~ww~~w#
#w~~w~~#
#~w~~ww#
#......#
#++++++#
#oooooo#
#oooooo#
#oooooo#
########
"""

HARVEST_SMALL = """
###########
#+..ooo..+#
#..ooooo..#
#...ooo...#
#oo.+.+.oo#
#ooo...ooo#
#ooo.+.ooo#
#oo.....oo#
###########
"""

BOX_TRAPPED = """
###########
#.........#
#...###oo.#
#...#1Doo0#
#...###oo.#
#.........#
###########
"""
