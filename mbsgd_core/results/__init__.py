"""What crosses a wall (floor 0): typed, frozen values that workers make and the web process, figures and pages read."""
