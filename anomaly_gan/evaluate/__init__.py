"""``anomaly-gan evaluate``: how good are the pictures of one folder, held against those of another?"""
